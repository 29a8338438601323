#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device in an IPv6-only network, with the routers and DHCPv6 servers that are in use.

. "$(dirname "$0")/device.sh"
. "$(dirname "$0")/ip6-servers.sh"

CASE=

# One for each address: on [::] it answers from whichever address the server likes best.
start_tftpd6() {
        start tftpd_near in_server in.tftpd --foreground --ipv6 --address '[2001:db8:0:1::1]:69' --secure "$TFTP"
        start tftpd_far in_server in.tftpd --foreground --ipv6 --address '[2001:db8:ffff::1]:69' --secure "$TFTP"
        wait_for 5 in_server sh -c '[ "$(ss -uln | grep -c :69)" -eq 2 ]'
}

stop_tftpd6() {
        stop tftpd_near
        stop tftpd_far
}

# provision CASE: the device configures itself, and leaves nothing behind.
provision() {
        CASE=$1
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$WORK/loader.calls"
        echo "hostname ${CASE// /-}" >"$TFTP/$SN.cfg"
        start_agent
        wait_provisioned
        [ "$(cat "$LOADED")" = "hostname ${CASE// /-}" ] || fail "$CASE: another configuration was loaded"
        wait_for 5 ours_are_gone
        [ -z "$(routes_of_ours)" ] || fail "$CASE: routes or rules are left"
        [ ! -e "$RUNTIME_DIRECTORY/agent/addresses" ] || fail "$CASE: the ledger is left"
}

# The kernel's own addresses bring a prefix route with them, ours do not.
ours() {
        ip -6 -o addr show dev port0 scope global | grep noprefixroute
}

ours_are_gone() {
        ! ours
}

kernel_has_address() {
        ip -6 -o addr show dev port0 scope global | grep -v noprefixroute
}

has_address() {
        ours | grep -q "inet6 $1"
}

loaded_from() {
        grep -qF "check $1" "$WORK/loader.calls" || fail "$CASE: not from $1: $(cat "$WORK/loader.calls")"
}

# new_cable ACCEPT_RA FORWARDING: with this of the device's kernel. Servers want a carrier at their start.
new_cable() {
        ip link del port0 2>/dev/null || :
        connect port0 srv0
        add_server_addresses
        sysctl -qw net.ipv6.conf.all.forwarding="$2" net.ipv6.conf.port0.accept_ra="$1"
        ip link set port0 up
}

cd "$WORK"
start_tpm
sed -i 's/^\[Identity\]/IPv4=no\n&/' "$CONFIG"
new_cable 0 0
start_tftpd6
start_device
stop_agent

near='tftp://[2001:db8:0:1::1]/' far='tftp://[2001:db8:ffff::1]/'
for kind in dnsmasq kea isc; do
        ra=()
        [ $kind != dnsmasq ] || ra=(ra)

        # The file server is behind the router: the leased /128 needs its default route.
        [ $kind = dnsmasq ] || start_router managed 'prefix=2001:db8:0:1::/64,AdvAutonomous=off'
        start_dhcp6 $kind url=$far "${ra[@]}"
        provision "$kind stateful"
        loaded_from "$far$SN.cfg 0 port0"
        [ $kind = dnsmasq ] || stop router
        stop dhcp6

        [ $kind = dnsmasq ] || start_router other
        start_dhcp6 $kind url=$far stateless "${ra[@]}"
        provision "$kind stateless"
        [ $kind = dnsmasq ] || stop router
        stop dhcp6

        # Nobody says what is on the link. And the lease goes back.
        start_dhcp6 $kind url=$near
        provision "$kind without a router"
        wait_for 5 grep -qiE 'RELEASE' dhcp6.log
        stop dhcp6
done

# A server that only this link has, with the zone that it gives itself, on a port of its own.
stop_tftpd6
link_local=$(ip -n server -6 -o addr show dev srv0 scope link | sed 's/.*inet6 \([^/]*\).*/\1/')
start tftpd in_server in.tftpd --foreground --ipv6 --address '[::]:6969' --secure "$TFTP"
wait_for 5 in_server sh -c 'ss -uln | grep -q :6969'
start_dhcp6 kea "url=tftp://[$link_local%25eth7]:6969/"
provision 'link-local'
loaded_from "tftp://[$link_local]:6969/$SN.cfg 0 port0"
stop dhcp6
stop tftpd
start_tftpd6

# Whatever the kernel makes of routers itself; and its own addresses stay.
for forwarding in 0 1; do
        for accept_ra in 0 1 2; do
                new_cable $accept_ra $forwarding
                start_router other
                start_dhcp6 kea url=$far stateless
                provision "forwarding $forwarding accept_ra $accept_ra"
                [ "$(sysctl -n net.ipv6.conf.port0.accept_ra)" = $accept_ra ] || fail 'accept_ra was changed'
                # The kernel listens with 2, and with 1 unless it forwards.
                if [ $accept_ra -gt $forwarding ]; then
                        wait_for 10 kernel_has_address
                else
                        ! kernel_has_address || fail "$CASE: an address of the kernel's own"
                fi
                stop router
                stop dhcp6
        done
done
# The same address is the kernel's and ours: it stays the kernel's.
new_cable 1 0
start_router other
start_dhcp6 kea url=$far stateless
sed -i 's/^IPv4=no/&\nIPv6Address=eui64/' "$CONFIG"
provision 'the same address twice'
sed -i '/^IPv6Address=/d' "$CONFIG"
stop router
stop dhcp6

# A network changes its prefix while the device waits for its file.
new_cable 0 0
rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$TFTP/$SN.cfg"
start_router other prefix=2001:db8:0:1::/64
start_dhcp6 kea url=$far stateless
start_agent
wait_for 10 has_address 2001:db8:0:1:
stop router
ip -n server addr add 2001:db8:0:2::1/64 dev srv0
start_router other 'prefix=2001:db8:0:1::/64,AdvPreferredLifetime=0,AdvValidLifetime=7200' prefix=2001:db8:0:2::/64
wait_for 10 has_address 2001:db8:0:2:
# It asks from an address in the new prefix.
start wire in_server tcpdump --immediate-mode -lnni srv0 'ip6 and udp dst port 69'
wait_for 5 grep -q 'listening on' wire.log
wait_for 10 grep -q 'IP6 2001:db8:0:2:' wire.log
stop wire
echo 'hostname renumbered' >"$TFTP/$SN.cfg"
wait_provisioned
stop router
stop dhcp6

# A server comes back, of the same leases, while the device waits: the lease is renewed, not lost.
rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$TFTP/$SN.cfg"
start_router managed 'prefix=2001:db8:0:1::/64,AdvAutonomous=off'
for kind in dnsmasq kea isc; do
        start_dhcp6 $kind short url=$far
        start_agent
        wait_for 10 has_address 2001:db8:0:1:
        address=$(ours | sed 's/.*inet6 \([^/]*\).*/\1/')
        stop dhcp6
        start_dhcp6 $kind short url=$far
        wait_for 20 grep -qiE '(RENEW|REBIND)' dhcp6.log
        wait_for 10 grep -qE "$address|RENEW" dhcp6.log
        has_address "$address" || fail "$kind: the address was lost"
        ! agent_said 'lease is lost' || fail "$kind: the lease was lost"
        stop_agent
        stop dhcp6
done
