#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Clients that mean no good: 100,000 unknown serial numbers, 1,000 connections that say nothing, pipelines,
# lines that are no HTTP. The server answers others all the while, and its memory stays bounded.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

cd "$WORK"
make_factory
use_store sqlite
clear=1 configure '[Limits]
Timeout=2s
ConnectionsPerAddress=1200' # in clear, for socat
PLAIN=http://127.0.0.1:8443
start directory systemd-socket-activate -l 127.0.0.1:8443 -l 127.0.0.1:9443 --fdname=public:factory \
        "$BUILD/directory/sdi-directory" --config="$WORK/directory.conf"
wait_for 10 curl -fs $PLAIN/healthz
make_device p256 SN1 SN1
enroll -T SN1.crt $FACTORY/certificates/SN1
answered 201

memory() {
        awk '/^VmRSS/ { print $2 }' "/proc/$pid_directory/status"
}

# From another address of this machine than the others, which the limit does not touch.
good() {
        curl -fs --interface 127.0.0.9 --max-time 10 $PLAIN/certificates/SN1.crt | cmp - SN1.crt || fail "no answer any more $1"
}
good 'at the beginning'
before=$(memory)

# --- 100,000 unknown serial numbers, from one address: nothing is told after the first hundred.
cat >probe.lua <<'EOF'
local n = 0
request = function()
        n = n + 1
        return wrk.format("GET", "/certificates/XX" .. n .. ".crt")
end
EOF
metric() {
        curl -fs --interface 127.0.0.9 $PLAIN/metrics | awk -v name="$1" '$1 == name { print $2 }'
}
start wrk wrk -t 1 -c 16 -d 120 -s probe.lua $PLAIN
asked_enough() {
        [ "$(metric 'sdi_directory_lookups_total{result="throttled"}')" -ge 100000 ]
}
wait_for 110 asked_enough
good 'while somebody counts serial numbers'
[ "$(metric 'sdi_directory_lookups_total{result="unknown"}')" -le 230 ] || fail 'serial numbers can be counted'
stop wrk

# --- 1,000 connections that say nothing; they are closed after the time that they have.
exec 3>&2 2>/dev/null
for ((i = 0; i < 1000; i++)); do
        exec {fd}<>/dev/tcp/127.0.0.1/8443
        fds[i]=$fd
done
exec 2>&3
good 'with 1,000 connections open'
none_is_left() {
        [ "$(ss -Htn state established '( sport = :8443 )' | wc -l)" -le 2 ]
}
wait_for 20 none_is_left
for fd in "${fds[@]}"; do
        exec {fd}>&-
done

# --- Lines that are no HTTP, or odd. The answer matters less than the next one.
send() {
        printf '%b' "$1" | timeout 10 socat -t 3 - TCP:127.0.0.1:8443 >answer 2>/dev/null || :
}
send 'GET /certificates/SN1.crt HTTP/1.1\r\nHost: x\r\n\r\nGET /certificates/SN1.crt HTTP/1.1\r\nHost: x\r\n\r\nGET /certificates/SN1.crt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
[ "$(grep -c 'BEGIN CERTIFICATE' answer)" -eq 3 ] || fail 'three requests at once have not three answers'
for odd in 'nonsense\r\n\r\n' '\0\0\0\0\r\n\r\n' '\x16\x03\x01\x02\x00\x01\x00' 'GET / HTTP/9.9\r\n\r\n' 'GET  HTTP/1.1\r\n\r\n' \
        'GET /certificates/SN1.crt HTTP/1.1\r\n\r\n' 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n' \
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n' 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n' \
        'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n' 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n' \
        'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n' 'GET /?serials=%zz HTTP/1.1\r\nHost: x\r\n\r\n' \
        'GET /?&&=&=&serials&serials= HTTP/1.1\r\nHost: x\r\n\r\n' 'HEAD /certificates/SN1.crt HTTP/1.0\r\n\r\n' \
        'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n' 'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n' 'CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n'; do
        send "$odd"
        good "after $odd"
done
{ printf 'GET /certificates/SN1.crt HTTP/1.1\r\nHost: x\r\n'; for ((i = 0; i < 20000; i++)); do echo "X-$i: y"; done; } |
        timeout 10 socat - TCP:127.0.0.1:8443 >answer 2>/dev/null || :
good 'after 20,000 header fields'
head -c 1000000 /dev/urandom | timeout 10 socat - TCP:127.0.0.1:8443 >/dev/null 2>&1 || :
head -c 1000000 /dev/urandom | timeout 10 socat - TCP:127.0.0.1:9443 >/dev/null 2>&1 || :
good 'after a megabyte of noise'
enroll -T SN1.crt $FACTORY/certificates/SN1
answered 200

kill -0 "$pid_directory" || fail 'the server has ended'
after=$(memory)
[ $((after - before)) -lt 40000 ] || [ "${SANITIZE-none}" != none ] || fail "memory grew from $before to $after KB"
stop_directory
