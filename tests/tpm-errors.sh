#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A TPM that is busy, full, failing, held by somebody else, or that dies: a clear error, nothing left in it, no output.

. "$(dirname "$0")/tpm.sh"

FAULT=$BUILD/tests/tcti-fault.so

start_tpm
cd "$WORK"
echo 'hostname sw1' >plain
for type in rsa2048 p256; do
        tool certificate device "$type" SN1 >"$type.crt"
        openssl cms -encrypt -aes-256-gcm -binary -in plain -out "$type.enc" -outform DER "$type.crt"
done

# $1 response code, $2 which command fails, then tpm-tool's arguments
faulty() {
        local tcti="$FAULT:$1,$2,$TCTI"

        shift 2
        "$BUILD/tests/tpm-tool" "$tcti" "$@"
}

# The number of commands that the arguments take.
commands_of() {
        rm -f commands
        FAULT_LOG=commands faulty 0 0 "$@" <"${input:-/dev/null}" >/dev/null
        wc -l <commands
}

# What makes each try begin alike.
before() {
        :
}

# Whichever command fails, and however: $1 status, $2 what is said, $3 response code, then the arguments.
check_each() {
        local status=$1 text=$2 rc=$3 n total

        shift 3
        before
        total=$(commands_of "$@")
        [ "$total" -ge 1 ] || fail "no command at all: $*"
        for n in $(seq "$total"); do
                before
                expect_status "$status" faulty "$rc" "$n" "$@" <"${input:-/dev/null}" >output 2>reason
                [ ! -s output ] || fail "output after an error: $*"
                grep -q "$text" reason || fail "\"$text\" is not in: $(cat reason)"
                [ "$(loaded)" -eq 0 ] || fail "command $n of $* left something in the TPM"
        done
}

for type in rsa2048 p256; do
        input=$type.enc
        check_each 75 'the TPM is busy' 920 decrypt device "$type" SN1
        check_each 75 'memory is full' 902 decrypt device "$type" SN1
        check_each 75 'memory is full' 903 decrypt device "$type" SN1
        check_each 75 'in lockout' 921 decrypt device "$type" SN1
        # Busy for a moment is not worth a word.
        for n in $(seq "$(commands_of decrypt device "$type" SN1)"); do
                faulty 922 "$n" decrypt device "$type" SN1 <"$input" | cmp plain -
        done
        expect_status 75 faulty 922 0 decrypt device "$type" SN1 <"$input" 2>reason
        grep -q 'the TPM is busy' reason || fail "busy is not told: $(cat reason)"
        input=
        check_each 1 'in failure mode' 101 certificate device "$type" SN1
        check_each 1 'not started by the firmware' 100 certificate device "$type" SN1
        check_each 75 'the TPM is busy' 920 request device "$type" SN1
done

before() {
        tool remove device 2>/dev/null || :
        tool discard device 2>/dev/null || :
}
check_each 75 'the TPM is busy' 920 persist device rsa2048
check_each 75 'the TPM is busy' 920 store device rsa2048 SN1
expect_status 1 tool load device # half a certificate is none
before() {
        tool persist device rsa2048
        tool store device rsa2048 SN1
}
check_each 75 'the TPM is busy' 920 find device
check_each 75 'the TPM is busy' 920 persist device p256 # in place of the other
check_each 75 'the TPM is busy' 920 load device
check_each 75 'the TPM is busy' 920 discard device
check_each 75 'the TPM is busy' 920 remove device

# A TPM that does not know RSA-3072 says so.
expect_status 1 faulty 2c4 1 certificate device rsa3072 SN1 2>reason
grep -q '^Operation not supported' reason || fail "an unknown key size is not told: $(cat reason)"

# A damaged key and damaged content cost the TPM the same as a good file, and say the same.
for type in rsa2048 p256; do
        input=$type.enc
        commands_of decrypt device "$type" SN1 >/dev/null
        mv commands expected
        cp "$type.enc" tag
        damage tag $(($(stat -c %s tag) - 16))
        key=$(openssl asn1parse -inform DER -in "$type.enc" | grep 'OCTET STRING' | head -n 1 | sed 's/:.*//')
        cp "$type.enc" key
        damage key $((key + 20))
        for damaged in tag key; do
                rm -f commands
                FAULT_LOG=commands expect_status 65 faulty 0 0 decrypt device "$type" SN1 <"$damaged" 2>"$damaged.reason"
                cmp expected commands
        done
        [ "$(head -n 1 tag.reason)" = "$(head -n 1 key.reason)" ] || fail "the reasons differ"
        [ "$(tail -n 1 tag.reason)" != "$(tail -n 1 key.reason)" ] || fail "the details do not differ"
done
input=

# In the background with its own status, waiting for the TPM's answer.
start_blocked() {
        rm -f output
        start blocked "$BUILD/tests/tpm-tool" "$TCTI" find device
        wait_for 5 grep -q '^State:.S' "/proc/$pid_blocked/status"
        [ ! -s blocked.log ] || fail "it did not wait: $(cat blocked.log)"
}

# Somebody else holds the TPM: we wait, and go on when it is free.
tool persist device p256
start holder perl -MIO::Socket::UNIX -e '
        $tpm = IO::Socket::UNIX->new($ARGV[0]) or die; open(F, ">", "held"); close F; sleep 1000' "$WORK/tpm/sock"
wait_for 5 test -e held
start_blocked
stop holder
wait "$pid_blocked" || fail "it did not go on: $(cat blocked.log)"
grep -q '^device p256 ' blocked.log

# The TPM dies in the middle of a command.
kill -STOP "$pid_swtpm"
start_blocked
kill -KILL "$pid_swtpm"
expect_status 75 wait "$pid_blocked"
grep -q '^No such device' blocked.log || fail "not told: $(cat blocked.log)"
wait "$pid_swtpm" || :
start_tpm
decrypted=$(tool decrypt device rsa2048 SN1 <rsa2048.enc)
[ "$decrypted" = 'hostname sw1' ] || fail "the TPM does not come back"
[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"

# There is none, it is not allowed, it is nonsense.
expect_status 75 "$BUILD/tests/tpm-tool" "device:$WORK/none" find device 2>reason
grep -q "cannot open the TPM $WORK/none: No such file or directory" reason || fail "not told: $(cat reason)"
expect_status 1 "$BUILD/tests/tpm-tool" "nonsense:$WORK" find device
