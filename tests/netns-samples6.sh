#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The samples of conf/servers for IPv6, as they stand: a device configures itself from each, and one device has a file of its own, and the
# address that was reserved for it by the DUID that sdi-agent(8) has people compute from its serial number.

. "$(dirname "$0")/device.sh"
. "$(dirname "$0")/ip6-servers.sh"

samples=$TESTS/../conf/servers

start_sample() {
        wait_for 5 server_can_speak
        case $1 in
        dnsmasq-ipv6)
                start sample in_server dnsmasq --keep-in-foreground --user=root --log-facility=- --log-dhcp --pid-file --conf-file="$samples/$1.conf"
                wait_for 5 grep -q started "$WORK/sample.log"
                return
                ;;
        dhcpd-ipv6)
                : >"$WORK/dhcpd.leases"
                start sample in_server dhcpd -6 -f -d -cf "$samples/$1.conf" -lf "$WORK/dhcpd.leases" -pf "$WORK/dhcpd.pid" srv0
                wait_for 5 grep -q 'Server starting service' "$WORK/sample.log"
                ;;
        kea-ipv6)
                start sample in_server env KEA_LOCKFILE_DIR=/run KEA_PIDFILE_DIR=/run kea-dhcp6 -c "$samples/$1.conf"
                wait_for 10 grep -q DHCP6_STARTED "$WORK/sample.log"
                ;;
        esac
        start router in_server radvd --nodaemon --logmethod=stderr --debug=1 --config="$samples/radvd-ipv6.conf" --pidfile=/run/radvd.pid
        wait_for 5 grep -q polling "$WORK/router.log"
        start tftpd in_server in.tftpd --foreground --ipv6 --address '[2001:db8:0:1::1]:69' --secure "$TFTP"
        wait_for 5 in_server sh -c 'ss -uln | grep -q :69'
}

stop_sample() {
        stop sample
        [ "$1" = dnsmasq-ipv6 ] || { stop router; stop tftpd; }
}

provision() {
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED"
        start_agent
        wait_provisioned
        [ "$(cat "$LOADED")" = "hostname $1" ] || fail "$sample: $(cat "$LOADED") instead of $1"
}

cd "$WORK"
TFTP=/srv/tftp
mkdir -p /srv
mount -t tmpfs -o mode=755 srv /srv
mkdir -p $TFTP/spines
for file in SN19842256.cfg spines/SN17894321.enc; do
        echo "hostname $file" >$TFTP/$file
done
sed -i 's/^\[Identity\]/IPv4=no\n&/' "$CONFIG"
connect port0 srv0
add_server_addresses
ip link set port0 up
start_device
stop_agent

n=0
for sample in dnsmasq-ipv6 dhcpd-ipv6 kea-ipv6; do
        start_sample $sample
        provision SN19842256.cfg
        echo SN17894321 >serial
        provision spines/SN17894321.enc
        grep -q 'Leased 2001:db8:0:1::50 by DHCPv6' agent.log || fail "$sample: the reserved address was not given"
        echo SN19842256 >serial
        stop_sample $sample
        n=$((n + 1))
done
# radvd's is a fourth, of which the others make use.
[ $((n + 1)) -eq "$(find "$samples" -name '*-ipv6.conf' | wc -l)" ] || fail "$n samples were tested"
