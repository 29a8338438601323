#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# However a DHCP server misbehaves (tests/dhcp4-hostile.c says how), it is a number in the status and nothing else; and a good server beside it
# is heard.

. "$(dirname "$0")/device.sh"

printf '[Retry]\nInterval=1h\n' >>"$CONFIG"
cd "$WORK"

# Two servers on the link of port0: eth0 of the namespace `other` is the hostile one.
connect port0 cable0
ip netns add other
ip link add eth0 netns other type veth peer name cable1 netns server
ip -n server link add srv0 type bridge
ip -n server link set srv0 up
ip -n server link set cable0 master srv0 up
ip -n server link set cable1 master srv0 up
ip -n other addr add 192.0.2.2/24 dev eth0
ip -n other link set eth0 up
ip -n other route add default dev eth0

port() {
        status -e ".ports[0] | $1"
}

# The status is written when something changes: a retry is such a thing, a dropped message is not.
has_dropped() {
        port .name >/dev/null && kill -HUP "$pid_agent"
        port '.dropped > 0'
}

# Those after whose offer the client asks nobody else for a while.
holds() {
        case $1 in
        nak-of-another-server | offer-to-a-request | another-* | acknowledged-* | nak-to-each-request) true ;;
        *) false ;;
        esac
}

n=0
while read -r name; do
        start hostile ip netns exec other "$BUILD/tests/dhcp4-hostile" eth0 "$name"
        wait_for 5 grep -q ready hostile.log
        rm -f "$RUNTIME_DIRECTORY/agent/status.json"
        start_agent
        if [[ $name = good-* ]]; then
                wait_for 10 port '.dhcp4 == "bound" and .lease.server == "192.0.2.2"'
        elif [ "$name" = nak-to-each-request ]; then
                wait_for 10 port '.dhcp4 == "init"' # it waits before it asks again
        elif [ "$name" != request-for-an-answer ]; then # the kernel drops that one
                wait_for 10 has_dropped
        fi
        [[ $name = good-* ]] || wait_for 5 port '.lease == null'
        if [[ $name != good-* ]] && ! holds "$name"; then
                start_dnsmasq --dhcp-option=66,192.0.2.1
                wait_for 20 port '.dhcp4 == "bound" and .lease.server == "192.0.2.1"'
                stop dnsmasq
        fi
        stop_agent
        [ "$(grep -vc -e ': Carrier$' -e ': Leased ' -e 'No configuration yet: ' agent.log)" -eq 0 ] || fail "$name: $(cat agent.log)"
        stop hostile
        n=$((n + 1))
done < <("$BUILD/tests/dhcp4-hostile" --list)
[ "$n" -gt 20 ] || fail "only $n were tried"

# Not hostile, but of no use: a server that names no configuration server. Whoever answers first, the other one's offer is taken.
start bare ip netns exec other dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --log-facility=- --pid-file \
        --interface=eth0 --no-ping --dhcp-range=192.0.2.100,192.0.2.199,1h --dhcp-leasefile="$WORK/bare.leases"
wait_for 5 grep -q started bare.log
start_dnsmasq --dhcp-option=66,192.0.2.1
for _ in {1..5}; do
        rm -f "$RUNTIME_DIRECTORY/agent/status.json"
        start_agent
        wait_for 10 port '.dhcp4 == "bound"'
        port '.lease.server == "192.0.2.1"' >/dev/null || fail "an offer without a configuration server was taken"
        stop_agent
done
stop dnsmasq

# Where there is no better one, it is taken all the same.
rm -f "$RUNTIME_DIRECTORY/agent/status.json"
start_agent
wait_for 10 port '.dhcp4 == "bound" and .lease.server == "192.0.2.2"'
