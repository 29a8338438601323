#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many ports, and what happens to them: they come late, go, are renamed, get another address, lose their carrier; and what their first
# DISCOVER says.

. "$(dirname "$0")/device.sh"
. "$TESTS/dhcp4-servers.sh"

cd "$WORK"
ip -n server link add srv0 type bridge
ip -n server link set srv0 up

# plug PORT: a new port, with its cable in the server's bridge.
plug() {
        connect "$1" "to-$1"
        ip -n server link set "to-$1" master srv0
}

# port NAME CONDITION: what the status says of it.
port() {
        status -e ".ports[] | select(.name == \"$1\") | $2"
}

bound() {
        wait_for 20 port "$1" '.dhcp4 == "bound" and .lease.address'
}

start_here() {
        rm -f "$RUNTIME_DIRECTORY/agent/status.json"
        start_agent
}

attempts() {
        [ "$(grep -c "DHCPREQUEST(srv0)" first.log)" -ge "$1" ]
}

# Two ports on one link get two addresses. Each asks for the options that matter, with the serial number, in its first message.
plug port0
plug port1
start wire in_server tcpdump --immediate-mode -Uns 0 -w wire.pcap -i srv0 'udp dst port 67'
wait_for 5 grep -q 'listening on' wire.log
start_dhcp first dnsmasq
start_here
bound port0
bound port1
[ "$(port port0 .lease.address)" != "$(port port1 .lease.address)" ] || fail "one address for two ports"
stop wire
for name in port0 port1; do
        mac=$(port "$name" .mac | tr -d '"')
        tcpdump -nvvr wire.pcap -c 1 "ether src $mac" >"$name.wire" 2>/dev/null
        grep -q 'DHCP-Message (53), length 1: Discover' "$name.wire" || fail "$name: another first message"
        grep -A 4 'Parameter-Request (55)' "$name.wire" | tr -d '\n' >wanted
        for option in 'TFTP (66)' 'BF (67)' 'TFTP-Server-Address (150)'; do
                grep -qF "$option" wanted || fail "$name: the first DISCOVER does not ask for $option"
        done
        grep -q "Hostname (12), length [0-9]*: \"$SN\"" "$name.wire" || fail "$name: the first DISCOVER does not have the serial number"
done

# Trying again, many times, touches no link.
start links ip -o monitor link
n=$(grep -c "DHCPREQUEST(srv0)" first.log)
wait_for 20 attempts $((n + 8))
[ ! -s links.log ] || fail "a link was touched: $(cat links.log)"
stop links

# A port comes, and its carrier later.
connect port2 to-port2
ip -n server link set to-port2 down
wait_for 10 port port2 '.carrier == false'
ip -n server link set to-port2 master srv0 up
bound port2

# It gets another name, then another Ethernet address: another client for the server.
address=$(port port2 .lease.address)
ip link set port2 down
ip link set port2 name port3
wait_for 10 port port3 .name
bound port3
ip link set port3 address 02:00:00:00:00:77
bound port3
wait_for 10 port port3 '.mac == "02:00:00:00:00:77"'
bound port3
[ "$(port port3 .lease.address)" != "$address" ] || fail "the address of another client"

# The cable is pulled and plugged in, again and again; then the port goes.
for _ in {1..20}; do
        ip -n server link set to-port2 down
        ip -n server link set to-port2 up
done
bound port3
ip link del port3
gone() {
        status -e '[.ports[].name] == ["port0", "port1"]'
}
wait_for 10 gone

# What the kernel had to say was more than its buffer holds: the agent reads all anew.
kill -STOP "$pid_agent"
for i in {1..6000}; do
        echo "link set lo alias flood-$i-$(printf 'x%.0s' {1..200})"
done >flood
ip -batch flood
ip link set port1 name port9
kill -CONT "$pid_agent"
wait_for 20 port port9 .name
bound port9
[ -z "$(port port1 .name || :)" ] || fail "the name of before"
stop_agent
[ -z "$(ip -o addr show scope global; routes_of_ours)" ] || fail "something is left"

# A port whose server tells it nothing of use does not keep another one from its configuration.
stop first
ip netns add other
ip link add port5 type veth peer name eth0 netns other
ip -n other addr add 198.51.100.1/24 dev eth0
ip -n other link set eth0 up
start rogue ip netns exec other dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --log-facility=- --pid-file \
        --interface=eth0 --no-ping --dhcp-range=198.51.100.10,198.51.100.99,1h --dhcp-leasefile=/run/leases/rogue
wait_for 5 grep -q started rogue.log
echo "hostname sw1" >"$TFTP/$SN.cfg"
start_device
stop_agent
start_dnsmasq --dhcp-option=66,192.0.2.1
start_tftpd
start_here
wait_provisioned
[ "$(gojq -r .interface "$STATE_DIRECTORY/provisioned")" != port5 ] || fail "installed from a port without a configuration"
stop dnsmasq
stop tftpd

# 512 ports, all with a carrier, of which the last one has the server.
rm -f "$STATE_DIRECTORY/provisioned" "$LOADED"
ip link del port0
ip link del port9
ip link del port5
for i in {1..511}; do
        echo "link add port-$i type veth peer name eth-$i netns other"
done >new-links
ip -batch new-links
for i in {1..511}; do
        echo "link set eth-$i up"
done >new-links
ip -n other -batch new-links
plug port512
start_dnsmasq --dhcp-option=66,192.0.2.1
start_tftpd
start_here
wait_provisioned
[ "$(gojq -r .interface "$STATE_DIRECTORY/provisioned")" = port512 ] || fail "from another port"
[ "$(gojq '.ports | length' "$RUNTIME_DIRECTORY/agent/status.json")" -eq 512 ] || fail "not all ports are in the status"

# What the vendor has to do before the ports come up. If it fails, that is said, and the rest is done all the same.
printf '[Network]\nPrepareCommand=/run/prepare 4x25G\n' >>"$CONFIG"
printf '#!/bin/sh\necho "breaking out $1"\nexit 3\n' >/run/prepare
chmod 755 /run/prepare
sdictl prepare 2>prepare.log && fail "a failure was not told"
printf 'breaking out 4x25G\nsdictl prepare: /run/prepare: ended with status 3\n' | cmp - prepare.log
[ "$(gojq -r .serial "$RUNTIME_DIRECTORY/identity.json")" = "$SN" ] || fail "no identity after a failed PrepareCommand="
