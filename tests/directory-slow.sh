#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Clients that send or read a byte at a time, or nothing, on both sides of the directory: whatever a
# connection is doing, it is ended, with 408 where an answer is possible. Clients from all addresses of an
# IPv6 network take no more connections than one address.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

cd "$WORK"
trap '' PIPE # who is cut off while it sends
make_factory
use_store sqlite
make_device p256 SN1 SN1
# The kernel takes a small part of an answer only. By itself it would keep that part for long.
echo 4096 16384 32768 | tee /proc/sys/net/ipv4/tcp_{r,w}mem >/dev/null
echo 15 >/proc/sys/net/ipv4/tcp_orphan_retries

# serve SCHEME TEXT: http or https on the public side, with TEXT as [Limits]
serve() {
        local clear=

        [ "$1" = https ] || clear=1
        configure "[Limits]
$2"
        start directory systemd-socket-activate -l 8443 -l 9443 --fdname=public:factory \
                "$BUILD/directory/sdi-directory" --config="$WORK/directory.conf"
        wait_for 20 curl -fsk "$1://127.0.0.1:8443/healthz"
}

# --- A client that never comes to an end.

# drip NAME SOCAT-ADDRESS HEAD: sends HEAD, and then a byte at a time for ever. The answer is in NAME.answer.
drip() {
        { printf '%b' "$3"; while printf x; do pause 0.1; done; } 2>/dev/null |
                socat -t 5 - "$2" >"$1.answer" 2>/dev/null &
        drips+=("$!")
}
drips_have_ended() {
        local pid

        for pid in "${drips[@]}"; do
                ! kill -0 "$pid" 2>/dev/null || return
        done
}
# none_is_left PORT: neither open, nor kept by the kernel with something that is still to be sent
none_is_left() {
        [ "$(ss -Htan "( sport = :$1 )" | grep -cvE '^(LISTEN|FIN-WAIT-2|TIME-WAIT)')" -eq 0 ]
}

# timed_out NAME...: each of these was answered 408
timed_out() {
        local name

        for name in "$@"; do
                grep -qa '^HTTP/1.1 408 ' "$name.answer" || fail "$name has no 408: $(cat "$name.answer")"
        done
}

# slow_clients PORT SOCAT-ADDRESS REQUEST: in each place of a request; REQUEST is one that takes a body
slow_clients() {
        drips=()
        drip head "$2" ''
        drip field "$2" 'GET / HTTP/1.1\r\nHost: x\r\nX-Field: '
        drip body "$2" "$3 HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n"
        drip chunk "$2" "$3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7530\r\n"
        drip refused "$2" 'PUT /no HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n'
        drip second "$2" 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /'
        exec {silent}<>"/dev/tcp/127.0.0.1/$1"
        wait_for 30 drips_have_ended
        timed_out head field body chunk refused
        grep -qa '^HTTP/1.1 200 ' second.answer || fail 'a request is not answered when the next one is slow'
        ! grep -qa ' 408 ' second.answer || fail '408 on a connection that may be idle'
        wait_for 30 none_is_left "$1"
        exec {silent}>&-
}

serve http Timeout=3s
PLAIN=http://127.0.0.1:8443
enroll -T SN1.crt $FACTORY/certificates/SN1
answered 201
exec {idle}<>/dev/tcp/127.0.0.1/8443
printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' >&"$idle"
slow_clients 8443 TCP:127.0.0.1:8443 'POST /'
grep -q '^HTTP/1.1 200 ' <&"$idle" || fail 'no answer on the connection that is idle then'
exec {idle}>&-

# --- A client that does not read, or reads slowly. What it asks for is a megabyte and a half.
{ printf serials=; for ((i = 0; i < 1000; i++)); do printf 'SN1+'; done; } >form
{
        printf 'POST /certificates.tar HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n' "$(wc -c <form)"
        cat form
} >request
curl -fs --data-binary @form $PLAIN/certificates.tar >tar
[ "$(tar tf tar | wc -l)" -eq 1000 ] || fail 'the archive has not all certificates'
exec {never_reads}<>/dev/tcp/127.0.0.1/8443
cat request >&"$never_reads"
! curl -fs --limit-rate 100k --data-binary @form $PLAIN/certificates.tar >slowly ||
        fail 'a slow reader has got all of it'
[ -s slowly ] || fail 'a slow reader has got nothing'
wait_for 30 none_is_left 8443
exec {never_reads}>&-

# The kernel takes all of this one. The server closes it as idle, and the kernel alone waits for a client
# whose window is closed.
exec {never_reads}<>/dev/tcp/127.0.0.1/8443
serials=$(printf 'SN1+%.0s' {1..12})
printf 'GET /certificates.tar?serials=%s HTTP/1.1\r\nHost: x\r\n\r\n' "$serials" >&"$never_reads"
kernel_waits() {
        [ -n "$(ss -Htn state fin-wait-1 '( sport = :8443 )')" ]
}
wait_for 30 kernel_waits
wait_for 30 none_is_left 8443
exec {never_reads}>&-
stop directory

# --- The same with TLS, where the handshake may be slow as well. The rest of this record never comes.
HELLO='\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'
serve https Timeout=3s
for port in 8443 9443; do
        drip hello TCP:127.0.0.1:$port "$HELLO"
        wait_for 30 drips_have_ended
done
slow_clients 8443 OPENSSL:127.0.0.1:8443,verify=0 'POST /'
slow_clients 9443 OPENSSL:127.0.0.1:9443,verify=0,cert=station.crt,key=station.key 'PUT /certificates/SN2'
curl -fs --cacert ca.crt $PUBLIC/certificates/SN1.crt | cmp - SN1.crt
stop directory

# --- Sixteen addresses of one IPv6 network. Other networks, and IPv4 on the same socket, have their
# connections all the same.
for ((i = 1; i <= 16; i++)); do
        ip address add "fd00:0:0:1::$i/128" dev lo nodad
done
ip address add fd00:0:0:2::1/128 dev lo nodad
serve https 'Timeout=10min
Connections=16
ConnectionsPerAddress=4'
answers() { # CLIENT SERVER
        curl -fsk --interface "$1" --max-time 20 "https://$2/healthz" >/dev/null
}
four_are_left() {
        local pid n=0

        for pid in "${many[@]}"; do
                ! kill -0 "$pid" 2>/dev/null || n=$((n + 1))
        done
        [ $n -eq 4 ]
}
for port in 8443 9443; do
        many=()
        for ((i = 1; i <= 16; i++)); do
                socat -u "TCP6:[fd00:0:0:2::1]:$port,bind=[fd00:0:0:1::$i]" OPEN:/dev/null 2>/dev/null &
                many+=("$!")
        done
        wait_for 20 four_are_left
        ! answers fd00:0:0:1::1 "[fd00:0:0:2::1]:$port" || fail 'a fifth connection of an IPv6 network'
        answers fd00:0:0:2::1 "[fd00:0:0:2::1]:$port" || fail 'another IPv6 network is not served'
        # These are mapped to IPv6 here, and four clients nevertheless.
        for ((i = 2; i <= 7; i++)); do
                answers "127.0.0.$i" "127.0.0.1:$port" || fail 'an IPv4 client is not served'
        done
        for ((i = 1; i <= 4; i++)); do
                exec {fd}<>"/dev/tcp/127.0.0.1/$port"
                echo "$fd is open" >>open.log
        done
        ! answers 127.0.0.1 "127.0.0.1:$port" || fail 'a fifth connection of an IPv4 address'
done
stop directory
