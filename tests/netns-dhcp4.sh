#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The life of a lease (RFC 2131), from a server that is in use, on the link or behind a relay: netns-dhcp4.sh dnsmasq|isc|kea [relay]

. "$(dirname "$0")/device.sh"
. "$TESTS/dhcp4-servers.sh"

kind=$1
relay=${2-}
printf '[Retry]\nInterval=1h\n[Network]\nConflictDetection=100ms\n' >>"$CONFIG"
cd "$WORK"

# The device (port0) and another host (eth0) are on a bridge in the namespace $lan. The server is there, or a relay to it.
lan=server bridge=srv0 first=192.0.2.1 second=192.0.2.2 router=192.0.2.1 settings=()
if [ -n "$relay" ]; then
        lan=relay bridge=lan0 first=203.0.113.1 second=203.0.113.2 router=192.0.2.254 settings=(network=192.0.2 router=192.0.2.254)
        ip netns add relay
        ip netns exec relay sysctl -qw net.ipv4.ip_forward=1
        ip link add up0 netns relay type veth peer name srv0 netns server
        ip -n relay addr add 203.0.113.254/24 dev up0
        ip -n relay link set up0 up
        ip -n server link set srv0 up
fi
ip netns add other
ip -n "$lan" link add "$bridge" type bridge
ip -n "$lan" link set "$bridge" up
ip link add port0 type veth peer name cable0 netns "$lan"
ip link add eth0 netns other type veth peer name cable1 netns "$lan"
ip -n "$lan" link set cable0 master "$bridge" up
ip -n "$lan" link set cable1 master "$bridge" up
ip -n other link set eth0 up

# start_server NAME ADDRESS [SETTING...]; stop_server NAME ADDRESS
start_server() {
        start_dhcp "$1" "$kind" "address=$2" "${settings[@]}" "${@:3}"
        [ -z "$relay" ] || ip -n server route replace default via 203.0.113.254
}

stop_server() {
        stop "$1"
        ip -n server addr del "$2/24" dev srv0
}

# start_relay ADDRESS: its own on the device's side.
start_relay() {
        ip -n relay addr replace "$1/24" dev lan0
        start dhcrelay ip netns exec relay dhcrelay -4 -d -id lan0 -iu up0 "$first" "$second"
        wait_for 5 grep -q 'Sending on .*up0' dhcrelay.log
}

lease() {
        status -re ".ports[0].lease.$1"
}

state_is() {
        status -e ".ports[0].dhcp4 == \"$1\""
}

leased_from() {
        [ "$(lease server)" = "$1" ]
}

# What is said on the device's link, since listen. count TYPE N: there are N messages of that type; none TYPE.
listen() {
        [ -z "${pid_wire-}" ] || stop wire
        start wire ip netns exec "$lan" tcpdump --immediate-mode -lnvvi cable0 'udp port 67 or udp port 68'
        wait_for 5 grep -q 'listening on' wire.log
}

count() {
        [ "$(grep -ciE "DHCP-Message.*: $1" wire.log)" -ge "$2" ]
}

none() {
        ! count "$1" 1
}

start_bound() {
        rm -f "$RUNTIME_DIRECTORY/agent/status.json"
        start_agent
        wait_for 20 state_is bound
}

kill_agent() {
        kill -KILL "$pid_agent"
        wait "$pid_agent" || :
}

nothing_is_left() {
        [ -z "$(ip -o -4 addr show scope global; routes_of_ours)" ] || fail "something is left"
}

# A new lease: what the server gave, and what the kernel has of it.
[ -z "$relay" ] || start_relay 192.0.2.254
listen
start_server first "$first"
start_bound
address=$(lease address)
[[ $address = 192.0.2.*/24 ]] || fail "address $address"
leased_from "$first" || fail "server"
[ "$(lease 'option_150 | join(" ")')" = "192.0.2.4 192.0.2.5" ] || fail "option 150"
[ "$(lease option_66)" = 192.0.2.3 ] || fail "option 66"
[ "$(lease option_67)" = configs/ ] || fail "option 67"
[[ $(ip -o -4 addr show dev port0) =~ "inet ${address%/*}/32 ".*valid_lft\ [0-9]{1,3}sec ]] || fail "the address in the kernel"
[[ $(ip route show table all proto 88) = *"default via $router dev port0 "*"src"* ]] || fail "the route in the kernel"
wait_for 5 count Discover 1
wait_for 5 count Offer 1
wait_for 5 count Request 1

# Renewed after T1 by the same server.
listen
wait_for 10 count ACK 1
none Discover || fail "a DISCOVER to renew"
wait_for 5 state_is bound
leased_from "$first" && [ "$(lease address)" = "$address" ] || fail "renewed"

# Rebound after T2, to another one that knows the lease.
stop_server first "$first"
listen
start_server second "$second"
wait_for 15 leased_from "$second"
[ "$(lease address)" = "$address" ] || fail "rebound"
none Discover || fail "a DISCOVER to rebind"

# A killed agent asks for what it had (INIT-REBOOT).
kill_agent
listen
start_bound
none Discover || fail "a DISCOVER after a restart"
[ "$(lease address)" = "$address" ] || fail "another address after a restart"

# The server goes, its lease ends, and it is there again. dnsmasq's does not end so soon.
if [ "$kind" != dnsmasq ]; then
        stop_server second "$second"
        wait_for 20 agent_said "The lease is lost"
        nothing_is_left
        start_server second "$second"
        wait_for 20 state_is bound
fi

# Given back.
stop_agent
wait_for 5 has_released "$kind" second
nothing_is_left
stop_server second "$second"

# The server comes late.
listen
start_agent
wait_for 20 count Discover 2
start_server late "$first"
wait_for 20 state_is bound

# Another network at the same port: what the device had is refused (NAK), and given up.
kill_agent
stop_server late "$first"
rm -f /run/leases/*
listen
if [ -n "$relay" ]; then
        stop dhcrelay
        ip -n relay addr del 192.0.2.254/24 dev lan0
        start_relay 198.51.100.254
        settings=(network=198.51.100 router=198.51.100.254)
        start_server moved "$first"
else
        start_server moved 198.51.100.1 network=198.51.100
fi
start_bound
[[ $(lease address) = 198.51.100.* ]] || fail "an address of the network it was in before"
wait_for 5 count NACK 1
[[ $(ip -o -4 addr show dev port0 scope global) != *" 192.0.2."* ]] || fail "the address of the other network"
stop_agent
if [ -n "$relay" ]; then
        stop_server moved "$first"
        stop dhcrelay
        ip -n relay addr del 198.51.100.254/24 dev lan0
        start_relay 192.0.2.254
        settings=(network=192.0.2 router=192.0.2.254)
else
        stop_server moved 198.51.100.1
fi

# Another host has the address; that after it, too, which is Kea's next choice.
start_server conflict "$first"
start_bound
address=$(lease address)
host=${address#192.0.2.}
next=192.0.2.$((${host%/24} + 1))/24
stop_agent
wait_for 5 has_released "$kind" conflict
ip -n other addr add "$address" dev eth0
ip -n other addr add "$next" dev eth0
rm -f "$RUNTIME_DIRECTORY/agent/status.json"
start_agent
wait_for 5 agent_said "Another host uses the leased address"
wait_for 5 has_declined "$kind" conflict
wait_for 40 state_is bound
[ "$(lease address)" != "$address" ] && [ "$(lease address)" != "$next" ] || fail "a declined address"
ip -n other addr flush dev eth0
stop_agent
stop_server conflict "$first"

# A lease in two messages, where the server does that (RFC 4039). The others answer a DISCOVER that asks for it as they would any other.
if [ "$kind" = dnsmasq ]; then
        listen
        start_server rapid "$first" rapid
        start_bound
        wait_for 5 count ACK 1
        none Offer && none Request || fail "more than two messages with rapid commit"
        stop_agent
        stop_server rapid "$first"
fi

# A file name in two options (RFC 3396).
if [ "$kind" != dnsmasq ]; then
        start_server long "$first" long
        start_bound
        [ "$(lease option_67)" = "$(printf 'folder-%02d/' {1..30})switch.enc" ] || fail "a long option: $(lease option_67)"
        stop_agent
        stop_server long "$first"
fi

# More options than the port takes in a frame: some are in sname and file (RFC 2132 §9.3). Kea has no such thing.
if [ "$kind" != kea ]; then
        ip link set port0 mtu 576
        listen
        start_server full "$first" full
        start_bound
        wait_for 5 grep -q '(52)' wire.log
        [ "$(lease option_67)" = configs/ ] || fail "option 67 of an overloaded message"
        [ "$(lease 'routes | length')" -eq 8 ] || fail "option 121 of an overloaded message"
        stop_agent
fi
nothing_is_left
