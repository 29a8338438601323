#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A configuration server given by its name: option 66 of DHCPv4, the URL of DHCPv6. In each case the DNS server is the one that
# the lease or the router gives; what resolv.conf says is of no account.

. "$(dirname "$0")/device.sh"
. "$(dirname "$0")/ip6-servers.sh"

# A name server of our own choice, which knows names that lead elsewhere: nobody is to ask it.
echo 'nameserver 192.0.2.166' >"$WORK/resolv.conf"

start_dns() {
        start dns in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --log-facility=- --log-queries \
                --pid-file --listen-address=192.0.2.153,2001:db8:0:1::53 --bind-interfaces \
                --host-record=four.example.net,192.0.2.1 --host-record=six.example.net,2001:db8:0:1::1 \
                --host-record=both.example.net,192.0.2.1,2001:db8:0:1::1 --local=/example.net/ --txt-record=none.example.net,here
        wait_for 5 grep -q started "$WORK/dns.log"
}

# dhcp4 NAME [OPTION...]: a server that names its configuration server so.
dhcp4() {
        start_dnsmasq --dhcp-option=66,"$1" --dhcp-option=option:dns-server,192.0.2.153 "${@:2}"
}

# serve_files ADDRESS: files, there and nowhere else.
serve_files() {
        [ -z "${pid_tftpd-}" ] || stop tftpd
        start tftpd in_server in.tftpd --foreground --address "$1:69" --secure "$TFTP"
        wait_for 5 in_server sh -c 'ss -uln | grep -q ":69 "'
}

provision() {
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$WORK/loader.calls" "$WORK/agent.log"
        echo "hostname $1" >"$TFTP/$SN.cfg"
        start_agent
        wait_provisioned
        [ "$(cat "$LOADED")" = "hostname $1" ] || fail "$1: another configuration was loaded"
        grep -qF "check tftp://$1" "$WORK/loader.calls" || fail "$1: $(cat "$WORK/loader.calls")"
}

refused() {
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$WORK/agent.log"
        start_agent
        wait_for 30 reason_has "$1"
        [ ! -e "$LOADED" ] || fail "loaded in spite of: $1"
        stop_agent
}

cd "$WORK"
connect port0 srv0
ip link set port0 up
add_server_addresses
ip -n server addr add 192.0.2.1/24 dev srv0
ip -n server addr add 192.0.2.153/24 dev srv0
ip -n server addr add 2001:db8:0:1::53/64 dev srv0
ip -n server addr add 192.0.2.166/24 dev srv0
start spy in_server socat -u UDP4-RECV:53,bind=192.0.2.166 OPEN:"$WORK/asked",creat,append
start_tpm
start_dns
start_device
stop_agent

# DHCPv4 and addresses made from a router's prefix, as in many a network that is on its way to IPv6.
start_router
serve_files 192.0.2.1
for name in four both; do
        dhcp4 $name.example.net
        provision $name.example.net/$SN.cfg
        stop dnsmasq
done
# Only with IPv6; and of two addresses the first is of no use.
serve_files '[2001:db8:0:1::1]'
for name in six both; do
        dhcp4 $name.example.net
        provision $name.example.net/$SN.cfg
        stop dnsmasq
done
serve_files 192.0.2.1
dhcp4 four --dhcp-option=option:domain-name,example.net
provision four/$SN.cfg
stop dnsmasq

# dnsmasq also names itself, where there is no file now.
rm "$TFTP/$SN.cfg"
dhcp4 missing.example.net
refused "tftp://missing.example.net/$SN.enc: the DNS servers know no address for this name"
stop dnsmasq
dhcp4 none.example.net
refused "tftp://none.example.net/$SN.enc: the DNS servers know no address for this name"
stop dnsmasq
start_dnsmasq --dhcp-option=66,four.example.net --dhcp-option=option:dns-server
refused "a name, and no DNS server is known to look it up"
stop dnsmasq
start_dnsmasq --dhcp-option=66,four.example.net --dhcp-option=option:dns-server,192.0.2.201
refused "tftp://four.example.net/$SN.enc: no DNS server"
stop dnsmasq
# A dead server beside one that answers.
start_dnsmasq --dhcp-option=66,four.example.net --dhcp-option=option:dns-server,192.0.2.201,192.0.2.153
provision four.example.net/$SN.cfg
stop dnsmasq
stop router

# IPv6 alone: the DNS server of DHCPv6, and that of the router with its search domain.
sed -i 's/^\[Identity\]/IPv4=no\n&/' "$CONFIG"
serve_files '[2001:db8:0:1::1]'
start_router other
start_dhcp6 kea stateless url=tftp://six.example.net/ dns=2001:db8:0:1::53
provision six.example.net/$SN.cfg
stop dhcp6
stop router
start_router other dns=2001:db8:0:1::53 domain=example.net
start_dhcp6 kea stateless url=tftp://six/
provision six/$SN.cfg
stop dhcp6
start_dhcp6 kea stateless url=tftp://four.example.net/ dns=2001:db8:0:1::53
refused '192.0.2.1: this port has no IPv4 address'

[ ! -s asked ] || fail 'the name server of resolv.conf was asked'
