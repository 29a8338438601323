#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The samples of conf/servers, as they stand: a device configures itself from each. In those with a class, one device has a file of its own, and
# other kinds of hosts get a lease and nothing else.

. "$(dirname "$0")/device.sh"

samples=$TESTS/../conf/servers

start_sample() {
        local name=${1##*/}

        case $name in
        dnsmasq-*)
                start sample in_server dnsmasq --keep-in-foreground --user=root --log-facility=- --log-dhcp --pid-file --conf-file="$1"
                wait_for 5 grep -q started "$WORK/sample.log"
                ;;
        dhcpd-*)
                : >"$WORK/dhcpd.leases"
                start sample in_server dhcpd -4 -f -d -cf "$1" -lf "$WORK/dhcpd.leases" -pf "$WORK/dhcpd.pid" srv0
                wait_for 5 grep -q 'Server starting service' "$WORK/sample.log"
                ;;
        kea-dhcp4-*)
                start sample in_server env KEA_LOCKFILE_DIR=/run KEA_PIDFILE_DIR=/run kea-dhcp4 -c "$1"
                wait_for 10 grep -q DHCP4_STARTED "$WORK/sample.log"
                ;;
        esac
        [[ $name = dnsmasq-* ]] || start_tftpd
}

stop_sample() {
        stop sample
        [[ $1 = */dnsmasq-* ]] || stop tftpd
}

# provision FILE: what the device installs is the file of that name, for each of its serial numbers.
provision() {
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED"
        start_agent
        wait_provisioned
        [ "$(cat "$LOADED")" = "hostname $1" ] || fail "$sample: $(cat "$LOADED") instead of $1"
}

cat >"$WORK/bin/hook" <<'EOF'
#!/bin/sh
# What a host of another kind is told.
[ "$1" != bound ] || env >"${0%/bin/hook}/other.env"
EOF
chmod 755 "$WORK/bin/hook"

cd "$WORK"
TFTP=/srv/tftp
mkdir -p /srv /var/lib/kea # systemd makes that one for Kea
mount -t tmpfs -o mode=755 srv /srv
mkdir -p $TFTP/switches $TFTP/spines
for file in SN19842256.cfg switches/SN19842256.cfg spines/SN17894321.enc; do
        echo "hostname $file" >$TFTP/$file
done
connect port0 srv0
ip -n server addr add 192.0.2.1/24 dev srv0
start_device
stop_agent

n=0
for sample in "$samples"/{dnsmasq,dhcpd,kea-dhcp4}-{simple,class}.conf; do
        start_sample "$sample"
        if [[ $sample = *-simple.conf ]]; then
                provision SN19842256.cfg
        else
                provision switches/SN19842256.cfg
                echo SN17894321 >serial
                provision spines/SN17894321.enc
                echo SN19842256 >serial
                ip link set port0 up
                busybox udhcpc -q -n -f -i port0 -O tftp -O bootfile -O 150 -V other -s "$WORK/bin/hook" >udhcpc.log 2>&1
                grep -q '^ip=192.0.2' other.env || fail "$sample: no lease for others"
                ! grep -E '^(tftp|bootfile|boot_file|opt150)=' other.env || fail "$sample: tells others of the configuration server"
        fi
        stop_sample "$sample"
        n=$((n + 1))
done
[ "$n" -eq "$(find "$samples" -name '*simple.conf' -o -name '*class.conf' | wc -l)" ] || fail "$n samples were tested"
