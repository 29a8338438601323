#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# IPv4 and IPv6 on one port: whatever is broken of one of them, the other one provisions the device, and without waiting for it.

. "$(dirname "$0")/device.sh"
. "$(dirname "$0")/ip6-servers.sh"

# A dead server is given up after ten seconds: that is not waited for here.
PROMPT=5

provision() {
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$WORK/loader.calls"
        start_agent
        wait_for $PROMPT test -e "$STATE_DIRECTORY/provisioned"
        wait_for 5 agent_has_ended
        grep -q "check tftp://$1" "$WORK/loader.calls" || fail "not from $1: $(cat "$WORK/loader.calls")"
        nothing_is_left
}

cd "$WORK"
connect port0 srv0
add_server_addresses
ip -n server addr add 192.0.2.1/24 dev srv0
ip link set port0 up
start_tpm
start tftpd4 in_server in.tftpd --foreground --address 192.0.2.1:69 --secure "$TFTP"
start tftpd6 in_server in.tftpd --foreground --address '[2001:db8:0:1::1]:69' --secure "$TFTP"
wait_for 5 in_server sh -c '[ "$(ss -uln | grep -c :69)" -eq 2 ]'
echo 'hostname dual' >"$TFTP/$SN.cfg"
start_device
stop_agent

start_router managed 'prefix=2001:db8:0:1::/64,AdvAutonomous=off'

# Nobody answers with DHCPv4; or the server that it names does not.
start_dhcp6 kea 'url=tftp://[2001:db8:0:1::1]/'
provision '\[2001:db8:0:1::1\]'
start_dnsmasq --dhcp-option=66,192.0.2.200
provision '\[2001:db8:0:1::1\]'
stop dnsmasq
start_dnsmasq --dhcp-option=66,config.example.net --dhcp-option=option:dns-server,192.0.2.201
provision '\[2001:db8:0:1::1\]'
stop dnsmasq
stop dhcp6

# A router promises a DHCPv6 server that is not there; one names a server that does not answer; one says nothing of use.
start_dnsmasq --dhcp-option=66,192.0.2.1
provision 192.0.2.1/
start_dhcp6 kea 'url=tftp://[2001:db8:0:1::dead]/'
provision 192.0.2.1/
stop dhcp6
start_dhcp6 kea url=http://example.net/
provision 192.0.2.1/
stop dhcp6
stop router

# Nothing of IPv6 at all; and then both, of which either will do.
provision 192.0.2.1/
start_router managed 'prefix=2001:db8:0:1::/64,AdvAutonomous=off'
start_dhcp6 kea 'url=tftp://[2001:db8:0:1::1]/'
provision ''
