#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# However a TFTP server misbehaves (tests/tftp-hostile.c says how), the client comes to the right verdict, in time.

. "$(dirname "$0")/netns.sh"

# try HOST NAME VERDICT MILLISECONDS BYTES
try() {
        local host=$1 name=$2 verdict=$3 msec=$4 bytes=$5 start=${EPOCHREALTIME/./} got=ok file said size took

        file=$(mktemp "$WORK/got.XXXXXX")
        said=$(timeout 60 "$BUILD/tests/tftp-get" --size-max 1000000 "tftp://$host/$name" "$file" 2>&1) || got=${said%%:*}
        took=$(((${EPOCHREALTIME/./} - start) / 1000))
        [ "$got" = "$verdict" ] || echo "$host $name: $said, instead of $verdict"
        [ "$took" -le "$msec" ] || echo "$host $name: $took ms, more than $msec ms"
        [[ "$said" =~ ^[\ -~]+$ ]] || echo "$host $name: said what is no printable line: $said"
        size=$(stat -c %s "$file")
        [ "$got" != ok ] || { [ "$size" -eq "$bytes" ] && cmp -n "$size" "$file" "$WORK/file"; } || echo "$host $name: another file"
        rm "$file"
}

connect port0 srv0
ip addr add 192.0.2.10/24 dev port0
ip addr add 2001:db8::10/64 dev port0 nodad
ip link set port0 up
for address in 192.0.2.1/24 192.0.2.2/24 2001:db8::1/64 2001:db8::2/64; do
        in_server ip addr add "$address" dev srv0 "$([[ $address = *:* ]] && echo nodad || echo noprefixroute)"
done
in_server ip route replace 192.0.2.0/24 dev srv0

"$BUILD/tests/tftp-hostile" --file >"$WORK/file"
"$BUILD/tests/tftp-hostile" --list >"$WORK/list"
echo "nothing ECONNREFUSED 1000 0" >"$WORK/nobody"
start hostile4 in_server "$BUILD/tests/tftp-hostile" 192.0.2.1 192.0.2.2
start hostile6 in_server "$BUILD/tests/tftp-hostile" 2001:db8::1 2001:db8::2
wait_for 5 grep -q ready "$WORK/hostile4.log"
wait_for 5 grep -q ready "$WORK/hostile6.log"

n=0
while read -r host name verdict msec bytes; do
        try "$host" "$name" "$verdict" "$msec" "$bytes" >>"$WORK/wrong.log" &
        n=$((n + 1))
        # The two servers are jobs, too.
        while [ "$(jobs -rp | wc -l)" -ge 10 ]; do
                wait -n || :
        done
done < <(sed 's/^/192.0.2.1 /' "$WORK/list"; sed 's/^/[2001:db8::1] /' "$WORK/list"
        sed 's/^/192.0.2.1:70 /' "$WORK/nobody"; sed 's/^/[2001:db8::1]:70 /' "$WORK/nobody")
while [ "$(jobs -rp | wc -l)" -gt 2 ]; do
        wait -n || :
done

[ "$n" -ge 80 ] || fail "only $n were tried"
[ ! -s "$WORK/wrong.log" ] || fail "of $n"
stop hostile4
stop hostile6
[ "$(cat "$WORK/hostile4.log" "$WORK/hostile6.log")" = $'ready\nready' ] || fail "what the client did"
