#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The words of a DHCP server or router count for the agent's own sockets alone. A rogue on port0 wants all of the
# device's traffic. eth0, which is not the agent's, has the default route and the management servers. They answer all
# the time, and the tables main and local stay as they are.

. "$(dirname "$0")/device.sh"
. "$(dirname "$0")/ip6-servers.sh"

cd "$WORK"

# The management network: a gateway, a server beside it and one beyond it. The rogue has all of their addresses, too.
near=(10.0.0.9 2001:db8:a::9) beyond=(203.0.113.9 2001:db8:cafe::9)
ip netns add mgmt
ip -n mgmt link set lo up
ip netns exec mgmt sysctl -qw net.ipv6.conf.default.accept_dad=0
ip link add eth0 type veth peer name m0 netns mgmt
for address in 10.0.0.1/24 10.0.0.9/24 2001:db8:a::1/64 2001:db8:a::9/64; do
        ip -n mgmt addr add "$address" dev m0
done
connect port0 srv0
add_server_addresses
for address in "${near[@]}" "${beyond[@]}"; do
        ip -n server addr add "$address" dev lo
done
for address in "${beyond[@]}"; do
        ip -n mgmt addr add "$address" dev lo
done
ip -n mgmt link set m0 up
ip addr add 10.0.0.2/24 dev eth0
ip addr add 2001:db8:a::2/64 dev eth0 nodad
ip link set eth0 up
ip link set port0 up
ip route add default via 10.0.0.1
ip -6 route add default via 2001:db8:a::1 dev eth0
for where in mgmt server; do
        start "who_$where" ip netns exec $where socat TCP6-LISTEN:7,fork,reuseaddr,ipv6only=0 SYSTEM:"echo $where"
        start "echo_$where" ip netns exec $where socat TCP6-LISTEN:8,fork,reuseaddr,ipv6only=0 EXEC:cat
        wait_for 5 ip netns exec $where sh -c 'ss -tln | grep :7 && ss -tln | grep :8'
done

link_local_is_there() {
        ip -6 route show table main dev port0 | grep '^fe80::/64' && ip -6 route show table main dev eth0 | grep '^fe80::/64' &&
                ip -6 route show table local dev port0 | grep 'local fe80:' && ip -6 route show table local dev eth0 | grep 'local fe80:'
}
wait_for 5 link_local_is_there

tables() {
        ip route show table main
        ip route show table local
        ip -6 route show table main
}

# The kernel sets a route of its own for a new address, and a little later it is taken away.
local6_is_as_before() {
        ip -6 route show table local | diff local6.before -
}
tables >tables.before
ip -6 route show table local >local6.before

# Connections that are held open all the time, to each of them.
connections=()
for address in "${near[@]}" "${beyond[@]}"; do
        exec {connection}<>"/dev/tcp/$address/8"
        connections+=("$connection")
done

# reaches ADDRESS [OPTION]: the server of the management network answers there. OPTION is for socat.
reaches() {
        local host=$1

        [[ $host != *:* ]] || host="[$host]"
        [ "$(timeout 5 socat -u "TCP:$host:7${2-}" -)" = mgmt ]
}

# undisturbed WHEN [ADDRESS]: new connections (to all but ADDRESS) arrive where they did, old ones are alive, and main and local are what they were.
undisturbed() {
        local address connection line

        tables | diff tables.before - || fail "$1: the table main or local is another"
        wait_for 5 local6_is_as_before
        for address in "${near[@]}" "${beyond[@]}"; do
                [ "$address" = "${2-}" ] || reaches "$address" || fail "$1: $address is not reached"
        done
        for connection in "${connections[@]}"; do
                echo "$1" >&"$connection"
                read -rt 5 line <&"$connection" && [ "$line" = "$1" ] || fail "$1: a connection is dead"
        done
}
undisturbed 'at first'

table=$((888600000 + $(ip -j link show port0 | gojq ".[0].ifindex")))

rogue_routes() {
        local destination

        printf -- '--dhcp-option=121'
        for destination in 0.0.0.0/0 0.0.0.0/1 128.0.0.0/1 "${near[0]}/32" "${beyond[0]}/32"; do
                printf ',%s,192.0.2.1' "$destination"
        done
}

# start_rogue_router [OPTION...]: options of radvd's beside its own.
start_rogue_router() {
        wait_for 5 server_can_speak
        {
                echo 'interface srv0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvOtherConfigFlag on; AdvDefaultPreference high;' "$@"
                echo 'prefix 2001:db8:0:1::/64 { };'
                printf 'route %s { AdvRoutePreference high; };\n' 2000::/3 8000::/1 "${near[1]}/128" "${beyond[1]}/128"
                echo '};'
        } >radvd.conf
        start router in_server radvd --nodaemon --logmethod=stderr --debug=1 --config="$WORK/radvd.conf" --pidfile=/run/radvd.pid
        wait_for 5 grep -q polling router.log
}

port() {
        status -e ".ports[0] | $1"
}

start_here() {
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$RUNTIME_DIRECTORY/agent/status.json" loader.calls
        start_agent
}

bound() {
        wait_for 20 port '.dhcp4 == "bound" and .lease.address'
}

# provision FROM: it comes now, by the agent's own sockets.
provision() {
        echo 'hostname sw1' >"$TFTP/$SN.cfg"
        wait_provisioned
        grep -qF "check tftp://$1" loader.calls || fail "not from $1: $(cat loader.calls)"
        rm "$TFTP/$SN.cfg"
        nothing_of_ours
}

nothing_of_ours() {
        [ -z "$(ip -o addr show dev port0 scope global)" ] || fail 'addresses are left'
        [ -z "$(routes_of_ours)" ] || fail "routes or rules are left: $(routes_of_ours)"
        [ ! -e "$RUNTIME_DIRECTORY/agent/addresses" ] || fail 'the ledger is left'
        undisturbed 'at the end'
}

start_tpm
start_device
stop_agent
# The file server and the name server are beyond the rogue's router, for each family.
ip -n server addr add 198.51.100.9/32 dev lo
ip -n server addr add 198.51.100.53/32 dev lo
ip -n server addr add 2001:db8:ffff::53/128 dev lo
start tftpd4 in_server in.tftpd --foreground --address 198.51.100.9:69 --secure "$TFTP"
start tftpd6 in_server in.tftpd --foreground --address '[2001:db8:ffff::1]:69' --secure "$TFTP"
start dns in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --log-facility=- --pid-file \
        --listen-address=198.51.100.53,2001:db8:ffff::53 --bind-interfaces --log-queries \
        --host-record=four.example.net,198.51.100.9 --host-record=six.example.net,2001:db8:ffff::1
wait_for 5 grep -q started dns.log
wait_for 5 in_server sh -c '[ "$(ss -uln | grep -c ":69 ")" -eq 2 ]'

# However the kernel checks where a packet has come from.
start_rogue_router
for rp_filter in 0 1 2; do
        sysctl -qw net.ipv4.conf.{all,port0,eth0}.rp_filter=$rp_filter
        start_dnsmasq "$(rogue_routes)" --dhcp-option=66,four.example.net --dhcp-option=option:dns-server,198.51.100.53
        start_here
        bound
        [ "$(ip route show table $table | grep -c 'via 192.0.2.1')" -eq 5 ] || fail "the server's routes: $(ip route show table $table)"
        undisturbed "rp_filter $rp_filter, with a lease"
        provision four.example.net
        stop dnsmasq
done

start_dnsmasq "$(rogue_routes)" --dhcp-option=66,198.51.100.9
start_here
bound
provision 198.51.100.9

# A renewal takes routes and the length of the prefix away, and gives others: the kernel has these, and no others.
start_here
bound
stop dnsmasq
start_dnsmasq --dhcp-option=121,198.51.100.0/24,192.0.2.1 --dhcp-option=1,255.255.255.128 --dhcp-option=66,198.51.100.9
kill -HUP "$pid_agent"
has_new_routes() {
        [ "$(ip route show table $table | sed 's/ dev port0.*//' | sort | tr '\n' ' ')" = "192.0.2.0/25 198.51.100.0/24 via 192.0.2.1 local $(gojq -r '.ports[0].lease.address | sub("/.*"; "")' "$RUNTIME_DIRECTORY/agent/status.json") " ]
}
wait_for 20 has_new_routes
[ "$(ip -o -4 addr show dev port0 scope global | grep -c .)" -eq 1 ] || fail 'another address'
provision 198.51.100.9
stop dnsmasq

# IPv6: routes of a router, the file server by name and by address.
sed -i 's/^\[Identity\]/IPv4=no\n&/' "$CONFIG"
for url in 'tftp://[2001:db8:ffff::1]/' tftp://six.example.net/; do
        start_dhcp6 kea stateless url="$url" dns=2001:db8:ffff::53
        start_here
        wait_for 20 port '.ipv6.addresses | length > 0'
        has_rogue_routes() {
                [ "$(ip -6 route show table $table | grep -c ' via fe80:')" -eq 5 ]
        }
        wait_for 10 has_rogue_routes
        undisturbed "IPv6, $url"
        url=${url#tftp://}
        provision "${url%/}"
        stop dhcp6
done
stop router

# What the device uses elsewhere is refused: an address of eth0's, its gateway, a server that is its neighbour. For the server beyond the
# gateway nothing says so; to have its address changes nothing for anybody else.
refused6() {
        start dhcp6 in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --log-facility=- --log-dhcp --pid-file \
                --interface=srv0 --dhcp-range="$1,$1,64,1h" --dhcp-leasefile=/run/leases/refused --dhcp-option='option6:59,tftp://[2001:db8:ffff::1]/' --dhcp-authoritative
        wait_for 5 grep -q started dhcp6.log
}
ip -n server addr add 2001:db8:a::fe/64 dev srv0
for case in '2001:db8:a::2 the address' '2001:db8:a::1 a route through' '2001:db8:a::9 the neighbour'; do
        undisturbed 'before the next refusal'
        refused6 "${case%% *}"
        start_here
        wait_for 20 reason_has "the address ${case%% *} is refused: eth0 has ${case#* } ${case%% *}"
        wait_for 5 grep -q DHCPDECLINE dhcp6.log
        undisturbed "refused ${case%% *}"
        stop_agent
        nothing_of_ours
        stop dhcp6
        rm -f /run/leases/refused
done
ip -n server addr del 2001:db8:a::fe/64 dev srv0
ip -n server addr del 2001:db8:cafe::9/128 dev lo # it is given away
ip -n server addr add 2001:db8:cafe::fe/64 dev srv0
refused6 2001:db8:cafe::9
start_rogue_router 'AdvManagedFlag on;' # or no address is asked for, if the router comes before the DHCPv6 server
start_here
wait_for 20 port '.ipv6.addresses | any(.address == "2001:db8:cafe::9")'
# It is that of the device's new connections to the server, too, by RFC 6724's first rule, unless they say another. No route leads elsewhere.
undisturbed 'an IPv6 lease on the address of a server of ours' 2001:db8:cafe::9
reaches 2001:db8:cafe::9 ',bind=[2001:db8:a::2]' || fail 'an IPv6 lease has moved the way to a server'
provision '[2001:db8:ffff::1]'
stop dhcp6
stop router
sed -i '/^IPv4=no$/d' "$CONFIG"

sed -i 's/^\[Identity\]/IPv6=no\n&/' "$CONFIG"
# lease ADDRESS: nothing else is there to be leased.
lease() {
        rm -f leases
        start dnsmasq in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --log-facility=- --log-dhcp --interface=srv0 \
                --dhcp-authoritative --no-ping --dhcp-range="$1,$1,255.255.255.0,1h" --dhcp-leasefile="$WORK/leases" --dhcp-option=66,198.51.100.9
        wait_for 5 grep -q started dnsmasq.log
}
ip -n server addr add 10.0.0.254/24 dev srv0
for case in '10.0.0.2 the address' '10.0.0.1 a route through' '10.0.0.9 the neighbour'; do
        undisturbed 'before the next refusal'
        lease "${case%% *}"
        start_here
        wait_for 20 reason_has "the leased address ${case%% *} is refused: eth0 has ${case#* } ${case%% *}"
        agent_said "refused: eth0 has ${case#* } ${case%% *}; it is declined" || fail 'not told'
        wait_for 5 grep -q DHCPDECLINE dnsmasq.log
        undisturbed "refused ${case%% *}"
        stop_agent
        nothing_of_ours
        stop dnsmasq
done
ip -n server addr del 10.0.0.254/24 dev srv0
ip -n server addr del 203.0.113.9/32 dev lo
ip -n server addr add 203.0.113.1/24 dev srv0
lease 203.0.113.9
for rp_filter in 0 1 2; do
        sysctl -qw net.ipv4.conf.{all,port0,eth0}.rp_filter=$rp_filter
        start_here
        bound
        undisturbed 'a lease on the address of a server of ours'
        provision 198.51.100.9
done
stop dnsmasq
ip -n server addr del 203.0.113.1/24 dev srv0

# Somebody else uses the number of the port's table: it is his. When he is gone, so is the hindrance.
start_dnsmasq --dhcp-option=66,198.51.100.9
for taken in "route add blackhole 10.99.0.0/16 table $table" "rule add from 10.99.0.0/16 lookup $table priority 99"; do
        # shellcheck disable=SC2086 # words
        ip $taken
        start_here
        wait_for 20 reason_has "another program uses the routing table $table"
        [ -z "$(routes_of_ours)" ] || fail 'a table of somebody else is used'
        # shellcheck disable=SC2086
        ip ${taken/add/del}
        kill -HUP "$pid_agent"
        provision 198.51.100.9
done

# Killed: --clean-up removes all of it, and so does the next start.
start_here
bound
kill -KILL "$pid_agent"
wait "$pid_agent" || :
[ -n "$(routes_of_ours)" ] && [[ $(ip -o addr show dev port0) = *" 192.0.2."* ]] || fail 'nothing is left to be cleaned up'
setpriv --reuid sdi-agent --regid sdi-agent --clear-groups --inh-caps +net_admin --ambient-caps +net_admin "$WORK/bin/sdi-agent" --config="$CONFIG" --clean-up
nothing_of_ours
