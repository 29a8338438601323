#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The TFTP client with the servers that are in use, over IPv4 and IPv6: sizes at the edge of a block, block numbers that wrap around,
# windows, loss, and what it must refuse.

. "$(dirname "$0")/netns.sh"
. "$(dirname "$0")/tftp-servers.sh"

hosts=(192.0.2.1 '[2001:db8::1]')

# get HOST FILE [OPTION...]: comes as it is.
get() {
        rm -f "$WORK/got"
        timeout 60 "$BUILD/tests/tftp-get" "${@:3}" "tftp://$1/$2" "$WORK/got" 2>"$WORK/get.log" || fail "$server $1 $2"
        cmp "$WORK/got" "$TFTP/$2" || fail "$server $1 $2: not the same"
}

# refused VERDICT OPTIONS... URL
refused() {
        local verdict=$1

        shift
        if timeout 60 "$BUILD/tests/tftp-get" "$@" - >"$WORK/got" 2>"$WORK/get.log"; then
                fail "$server $*: not $verdict"
        fi
        grep -q "^$verdict: ." "$WORK/get.log" || fail "$server $*: not $verdict"
}

tx_packets() {
        ip -s -j link show port0 | gojq '.[0].stats64.tx.packets'
}

# n_sent HOST: how many packets it takes to get 1 MB.
n_sent() {
        local before

        before=$(tx_packets)
        get "$1" 1000000
        echo $(($(tx_packets) - before))
}

# A frame's block over IPv4 and IPv6 is 1468 and 1448, the largest 65464.
for size in 0 1 511 512 513 1448 1468 2936 20480 65463 65464 130928 1000000; do
        head -c "$size" /dev/urandom >"$TFTP/$size"
done
head -c 40000000 /dev/urandom >"$TFTP/wrap"

connect port0 srv0
address_ends
for server in dnsmasq tftpd-hpa atftpd busybox; do
        start_server "$server"
        for host in "${hosts[@]}"; do
                for size in 0 1 511 512 513 1448 1468 2936 20480 65463 65464 130928 1000000; do
                        get "$host" "$size"
                done
                refused ENOENT "tftp://$host/nothing"
                refused EFBIG --size-max 20479 "tftp://$host/20480"
        done
        stop_server
        refused ECONNREFUSED "tftp://${hosts[0]}/512"
        refused ECONNREFUSED "tftp://${hosts[1]}/512"
done

# Blocks of 512 bytes: the 65536th is in the middle, without windows and with them.
for server in dnsmasq tftpd-hpa atftpd; do
        start_server "$server" small
        get "${hosts[0]}" wrap
        stop_server
done

# 16 blocks of 64 KB: one ACK each, but one for all of them where there are windows.
server=tftpd-hpa
start_server tftpd-hpa
n=$(n_sent "${hosts[0]}")
[ "$n" -ge 16 ] && [ "$n" -le 24 ] || fail "$n packets sent to tftpd-hpa"
stop_server
server=atftpd
start_server atftpd
n=$(n_sent "${hosts[0]}")
[ "$n" -le 8 ] || fail "$n packets sent to atftpd"
stop_server

# The ports carry 9100 bytes, and the path between them 1500: what is longer is lost, fragments as well.
ip link del port0
connect_delayed port0 srv0 --delay 1ms
ip link set port0 mtu 9100
ip -n server link set srv0 mtu 9100
address_ends
for server in dnsmasq tftpd-hpa atftpd busybox; do
        start_server "$server"
        for host in "${hosts[@]}"; do
                for size in 1448 2936 20480 130928; do
                        get "$host" "$size" --mtu 9100
                done
        done
        stop_server
done

# One frame in twenty is lost.
stop relay
connect_delayed port0 srv0 --delay 2ms --loss 5
address_ends
for server in dnsmasq tftpd-hpa atftpd busybox; do
        start_server "$server"
        for host in "${hosts[@]}"; do
                for size in 0 512 65464 130928; do
                        get "$host" "$size"
                done
                refused ENOENT "tftp://$host/nothing"
        done
        stop_server
done
