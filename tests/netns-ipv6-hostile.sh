#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A hostile router floods the link: what the device keeps and sets has a bound, and IPv4 provisions it all the same.

. "$(dirname "$0")/device.sh"
. "$(dirname "$0")/ip6-servers.sh"

cd "$WORK"
connect port0 srv0
add_server_addresses
ip link set port0 up
start_tpm
start_device

# The first of what it says is believed, as anybody's would be.
has_addresses() {
        ip -6 -o addr show dev port0 scope global | grep -q .
}

resident() {
        awk '/^VmRSS/ { print $2 }' "/proc/$pid_agent/status"
}

# All of it has been read: nothing waits in the socket any more.
queue_is_empty() {
        ss --packet --numeric | awk '$1 == "p_dgr" { sockets++; waiting += $2 } END { exit !sockets || waiting > 0 }'
}

wait_for 5 agent_said Carrier
in_server "$BUILD/tests/ra-flood" srv0 100
wait_for 5 has_addresses
wait_for 5 queue_is_empty
before=$(resident)
in_server "$BUILD/tests/ra-flood" srv0 20000
wait_for 20 queue_is_empty
[ $(($(resident) - before)) -le 1024 ] || fail "$before KB of memory became $(resident)"

addresses=$(ip -6 -o addr show dev port0 scope global | grep -c .)
routes=$(ip -6 route show table all proto 88 | grep -c .)
[ "$addresses" -le 16 ] || fail "$addresses addresses"
[ "$routes" -le 60 ] || fail "$routes routes"
[ "$(wc -l <"$RUNTIME_DIRECTORY/agent/addresses")" -eq "$addresses" ] || fail "the ledger has others than the kernel"

echo 'hostname calm' >"$TFTP/$SN.cfg"
start_dnsmasq --enable-tftp --tftp-root="$TFTP"
wait_provisioned
grep -q "check tftp://192.0.2.1/$SN.cfg" loader.calls || fail "provisioned from elsewhere: $(cat loader.calls)"
nothing_is_left
