# SPDX-License-Identifier: Apache-2.0
# Sourced after tests/netns.sh: the TFTP servers that are in use, each on 192.0.2.1 and 2001:db8::1 of srv0, serving $TFTP.
#
#   address_ends             gives port0 and srv0 their addresses
#   start_server NAME [small]   NAME: dnsmasq, tftpd-hpa, atftpd, busybox; small: it grants no blocks larger than 512 bytes
#   stop_server              the one that runs

TFTP="$WORK/tftp"
mkdir -m 755 "$TFTP"
chmod 755 "$WORK"

address_ends() {
        ip addr add 192.0.2.10/24 dev port0
        ip addr add 2001:db8::10/64 dev port0 nodad
        ip link set port0 up
        in_server ip addr add 192.0.2.1/24 dev srv0
        in_server ip addr add 2001:db8::1/64 dev srv0 nodad
}

start_server() {
        local small=${2:+1}

        case "$1" in
        dnsmasq)
                start server4 in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --port=0 --log-facility=- \
                        --interface=srv0 --enable-tftp --tftp-root="$TFTP" ${small:+--tftp-no-blocksize}
                ;;
        tftpd-hpa)
                start server4 in_server in.tftpd --foreground --address 192.0.2.1:69 --secure ${small:+--blocksize 512} "$TFTP"
                start server6 in_server in.tftpd --foreground --address '[2001:db8::1]:69' --secure ${small:+--blocksize 512} "$TFTP"
                ;;
        atftpd)
                # It forgets an IPv6 address when it is told its port, or takes the usual one: 0 has it look that up.
                start server4 in_server /opt/atftpd/usr/sbin/atftpd --daemon --no-fork --logfile - --user root.root --port 0 \
                        --bind-address 192.0.2.1 ${small:+--no-blksize} "$TFTP"
                start server6 in_server /opt/atftpd/usr/sbin/atftpd --daemon --no-fork --logfile - --user root.root --port 0 \
                        --bind-address 2001:db8::1 ${small:+--no-blksize} "$TFTP"
                ;;
        busybox)
                start server4 in_server /opt/busybox/busybox udpsvd -E 192.0.2.1 69 /opt/busybox/busybox tftpd "$TFTP"
                start server6 in_server /opt/busybox/busybox udpsvd -E 2001:db8::1 69 /opt/busybox/busybox tftpd "$TFTP"
                ;;
        esac
        wait_for 5 listens -4
        wait_for 5 listens -6
}

listens() {
        [ -n "$(in_server ss -Hlnu "$1" 'sport = :69')" ]
}

stop_server() {
        stop server4
        [ -z "${pid_server6-}" ] || stop server6
        unset pid_server6
}
