#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An attacker has a copy of an encrypted file, and asks the device about it with forged files: as a broken-into sdi-agent, and from the
# network. Every forged file has the same answer, in words and in time, whatever it decrypts to.

. "$(dirname "$0")/device.sh"

N=160 # files of each of two kinds

cd "$WORK"
start_tpm
make_key
chmod 666 tpm/sock*
chmod 711 tpm
cp "$CONFIG" as-shipped.conf
# An answer comes soon, and there may be any number of questions: this test is about how much one answer tells.
sed -i 's/^Interval=.*/Interval=1us\nLaterInterval=1us/' "$CONFIG"
printf 'CheckTimeout=500ms\n' >>"$CONFIG"
serve unwrap sdi-unwrap sdi-agent
serve load root sdi-unwrap
cp "$BUILD/tests/hand-over" bin
mkdir -m 755 files

# encrypt CIPHER: standard input to standard output
encrypt() {
        openssl cms -encrypt "-$1" -binary -outform DER -recip $SN.crt
}

# ask FILE...: hands them over as sdi-agent, and prints for each the microseconds, the verdict and the reason.
ask() {
        setpriv --reuid sdi-agent --regid sdi-agent --clear-groups "$WORK/bin/hand-over" give "$RUNTIME_DIRECTORY/unwrap.sock" "$@"
}

# same_answers FILE: all lines, but for the times, are that of a file that is undisclosed.
same_answers() {
        cut -f 2,3 "$1" | sort -u >different
        [ "$(wc -l <different)" -eq 1 ] || fail "different answers: $(cat different)"
        grep -q '^undisclosed' different || fail "not undisclosed: $(cat different)"
}

# Half of the files have a good padding. The loader checks all of them, so that nobody can tell by its running.
# What is forged are the first two blocks or the last two: the loader's word is in between.
printf 'username admin password %s\nreject\n! the end of this configuration, in some words\n' "$(openssl rand -hex 16)" |
        encrypt aes-256-cbc >secret.cbc
for i in $(seq $N); do
        "$TESTS/forge" padding secret.cbc "$i" >"files/padding.$i"
        "$TESTS/forge" content secret.cbc "$i" >"files/content.$i"
done
for i in files/*; do
        echo "$i"
done | shuf --random-source=<(openssl enc -aes-128-ctr -K 00 -iv 00 </dev/zero 2>/dev/null) >order
mapfile -t order <order
ask "${order[@]}" >answers
[ "$(wc -l <answers)" -eq $((2 * N)) ] || fail "$(wc -l <answers) answers"
same_answers answers
n=$(grep -c ': decrypted (AES-256-CBC)' unwrap.log)
[ "$n" -eq $N ] || fail "$n files had a good padding"
for kind in padding content; do # on a busy machine a check may come too late
        n=$(grep -c "^check .*files/$kind" loader.calls)
        [ "$n" -ge $((N * 9 / 10)) ] || fail "the loader has checked $n files of the kind $kind"
done
n=$(grep -c 'the padding of the content is wrong' unwrap.log)
[ "$n" -eq $N ] || fail "$n files had a bad padding, or the journal does not tell root"
for kind in padding content; do
        paste order answers | grep "^files/$kind" | cut -f 2 >"times.$kind"
done
"$TESTS/two-samples" times.padding times.content || fail 'the time tells whether the padding is right'

# All else that can become of it. A right guess of what a GCM file begins with makes an empty file in CBC of it, a wrong one bad padding.
: | encrypt aes-256-cbc >files/empty
encrypt aes-256-gcm <order | encrypt aes-256-cbc >files/nested
for content in reject busy hang refuse-commit; do
        echo $content | encrypt aes-256-cbc >"files/$content"
done
printf 'hostname sw1.example\n' | encrypt aes-256-gcm >secret.gcm
"$TESTS/forge" rewrap secret.gcm 'hostname sw1.exa' >files/right-guess
"$TESTS/forge" rewrap secret.gcm 'hostname sw2.exa' >files/wrong-guess
ask files/{empty,nested,reject,busy,hang,refuse-commit,right-guess,wrong-guess} >answers
same_answers answers
for content in empty nested right-guess wrong-guess; do
        grep -q "^check .*files/$content" loader.calls || fail "the loader has not checked: $content"
done
! grep -q '^commit .*/\(empty\|nested\|.*-guess\)' loader.calls || fail 'a rejected file was committed'
n=$(grep -c 'what is in it is empty' unwrap.log)
[ "$n" -eq 2 ] || fail "$n empty files: the right guess is none"

# A commit that takes longer than the answer still succeeds, and the agent learns of that.
echo late | encrypt aes-256-cbc >files/late
ask files/late >answers
same_answers answers
[ ! -e "$STATE_DIRECTORY/provisioned" ] || fail 'the commit has ended already'
echo >gate
wait_for 5 test -e "$STATE_DIRECTORY/provisioned"
ask files/late >answers
grep -q $'\talready-provisioned\t' answers || fail "$(cat answers)"
rm "$STATE_DIRECTORY/provisioned" "$LOADED"

# From the network, with the schedule as it is shipped: the same words in log and status, the same requests, no other server at once.
stop unwrap
stop load
rm "$RUNTIME_DIRECTORY"/*.sock
cp as-shipped.conf "$CONFIG"
sed -i '/^Interval=/d' "$CONFIG"
printf 'CheckTimeout=300ms\n' >>"$CONFIG"
connect port0 srv0
ip -n server addr add 192.0.2.2/24 dev srv0

has_concluded() {
        agent_said 'No configuration yet: tftp://192.0.2.1/forged: '
}

for kind in padding content; do
        cp "files/$kind.1" "$TFTP/forged"
        start_dnsmasq --dhcp-option=150,192.0.2.1,192.0.2.2 --dhcp-option=67,forged --enable-tftp --tftp-root="$TFTP"
        start_device
        wait_for 20 has_concluded
        wait_for 5 reason_has 'not authenticated'
        stop_agent
        sed -E 's/"[0-9-]+T[0-9:]+Z"/"a time"/' "$RUNTIME_DIRECTORY/agent/status.json" >"status.$kind"
        sed -E 's/in [0-9a-z ]*$/in .../' agent.log >"said.$kind"
        grep -o 'sent /.*' dnsmasq.log >"requests.$kind"
        for program in unwrap load unwrap_root load_root dnsmasq; do
                stop $program
        done
        rm -f "$RUNTIME_DIRECTORY"/*.sock leases
done
grep -q 'undisclosed' status.padding || fail 'the status'
for what in status said requests; do
        cmp "$what.padding" "$what.content" || fail "the $what tells whether the padding is right: $(diff "$what.padding" "$what.content")"
done
[ "$(wc -l <requests.content)" -eq 1 ] || fail "asked at once for another file: $(cat requests.content)"
