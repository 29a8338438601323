#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A port that another program manages, too: what is there stays, what it takes from us is set again, and in the end only ours goes.

. "$(dirname "$0")/device.sh"

cd "$WORK"
connect port0 srv0
ip -n server addr add 2001:db8::1/64 dev srv0 nodad
ip link set port0 up
start_tpm
mac=$(ip -j link show port0 | gojq -r '.[0].address')

ours() {
        status -r ".ports[0] | $1"
}

leased() {
        local address

        address=$(ours .lease.address)
        echo "${address%/*}"
}

lease_is_set() {
        ip -o -4 addr show dev port0 | grep -F " $(leased)/32 "
}

address6_is_set() {
        local address

        address=$(ours '.ipv6.addresses[0].address')
        [ "$address" != null ] && ip -o -6 addr show dev port0 | grep -F " $address/"
}

routes_are_set() {
        ip route show table all proto 88 | grep default && ip -6 route show table all proto 88 | grep default
}

rules_are_set() {
        ip rule show | grep "from $(leased) lookup" && ip rule show | grep "to $(leased) iif port0 lookup" && ip rule show | grep 'oif port0 lookup' &&
                ip -6 rule show | grep 'to 2001:db8::.* iif port0 lookup' && ip -6 rule show | grep 'oif port0 lookup'
}

all_is_set() {
        lease_is_set && address6_is_set && routes_are_set && rules_are_set
}

# Nothing can be fetched yet. What is on the port is left alone.
ip addr add 198.51.100.7/24 dev port0
ip route add 203.0.113.0/24 via 198.51.100.1
start_dnsmasq --dhcp-option=66,192.0.2.1 --enable-ra --dhcp-range=2001:db8::10,2001:db8::99,64 --dhcp-option=option6:59,tftp://[2001:db8::1]/
start_device
wait_for 20 all_is_set

# All is flushed, as systemd-networkd does it with what it does not know when it comes to manage a port; then single things.
ip addr flush dev port0 scope global
ip -6 route flush table all proto 88
ip addr add 198.51.100.7/24 dev port0
ip route add 203.0.113.0/24 via 198.51.100.1
wait_for 10 all_is_set
agent_said 'Another program has removed what we had set on this port' || fail 'not told'
ip route flush table all proto 88
wait_for 10 all_is_set
ip -6 route flush table all proto 88
wait_for 10 all_is_set
ip addr del "$(leased)/32" dev port0
wait_for 10 all_is_set
for family in -4 -6; do
        for number in 8886 8886 38886; do
                ip $family rule del priority $number
        done
        wait_for 10 all_is_set
done
[ "$(grep -c 'Another program' agent.log)" -eq 1 ] || fail 'told more than once'

# Somebody who does not stop: neither do we.
for _ in {1..5}; do
        ip addr flush dev port0 scope global
        wait_for 10 all_is_set
done
ip addr add 198.51.100.7/24 dev port0
ip route add 203.0.113.0/24 via 198.51.100.1

# Our very address, with another prefix length.
ip addr add "$(leased)/25" dev port0
twin=$(leased)/25

# Provisioned: the other program's are there, and ours are gone.
start_tftpd
echo 'hostname sw1' >"$TFTP/$SN.cfg"
kill -HUP "$pid_agent"
wait_provisioned
[ "$(ip -o addr show dev port0 scope global | awk '{ print $4 }' | tr '\n' ' ')" = "198.51.100.7/24 $twin " ] || fail "addresses: $(ip addr show dev port0)"
[ -z "$(routes_of_ours)" ] || fail 'routes or rules are left'
ip route show | grep '^203.0.113.0/24 ' >/dev/null || fail 'a route of the other program is gone'
ip addr del "$twin" dev port0
stop dnsmasq

# The server knows clients by their Ethernet address, and has given the other program the address that it gives to us: it stays, and
# is not given back.
ip addr add 192.0.2.50/24 dev port0 valid_lft 3000 preferred_lft 3000
rm "$STATE_DIRECTORY/provisioned"
start_dnsmasq --dhcp-option=66,192.0.2.1 --dhcp-host="$mac,192.0.2.50"
start_agent
wait_provisioned
grep -q 'DHCPACK(srv0) 192.0.2.50' dnsmasq.log || fail 'another address'
ip -o addr show dev port0 | grep -F ' 192.0.2.50/24 ' >/dev/null || fail 'the address of the other program is gone'
! grep -q DHCPRELEASE dnsmasq.log || fail "the other program's lease was given back"
[ -z "$(routes_of_ours)" ] || fail 'routes or rules are left'
ip route show | grep '^203.0.113.0/24 ' >/dev/null || fail 'a route of the other program is gone'
