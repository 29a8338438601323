#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the TPM decrypts is seen neither on its bus nor afterwards in the memory of the program.

. "$(dirname "$0")/tpm.sh"

start_tpm
cd "$WORK"
export TCTI_PCAP_FILE="$WORK/bus.pcap"

# $1 key type, $2 what the private operation gives (its last 32 bytes are the marker), $3 its input
check() {
        tail -c 32 "$2" >marker
        {
                perl -0777 -pe '$_ ^= "\x5a" x 32' marker
                cat "$3"
        } >input
        rm -f bus.pcap
        read -r during after < <("$BUILD/tests/tpm-tool" "pcap:$TCTI" residue device "$1" <input)
        [ "$during" -eq 1 ] || fail "$1: the marker is $during times in memory, not in the result alone"
        [ "$after" -eq 0 ] || fail "$1: the marker is $after times left in memory"
        [ -s bus.pcap ] || fail "the bus was not recorded"
        if on_bus; then
                fail "$1: the marker was on the bus"
        fi
}

on_bus() {
        perl -0777 -e 'local $/; open F, "marker"; $m = <F>; open G, "bus.pcap"; exit(index(<G>, $m) < 0)'
}

for type in rsa2048 rsa3072; do
        tool certificate device "$type" x | openssl x509 -noout -pubkey >key.pub
        { printf '\0\2'; head -c $(($([ "$type" = rsa2048 ] && echo 256 || echo 384) - 35)) /dev/zero | tr '\0' x; printf '\0'; openssl rand 32; } >block
        openssl pkeyutl -encrypt -pubin -inkey key.pub -pkeyopt rsa_padding_mode:none -in block -out cipher
        check "$type" block cipher
done
for type in p256:prime256v1 p384:secp384r1; do
        tool certificate device "${type%:*}" x | openssl x509 -noout -pubkey >key.pub
        openssl ecparam -name "${type#*:}" -genkey -noout -out ephemeral.key
        openssl pkeyutl -derive -inkey ephemeral.key -peerkey key.pub -out shared
        openssl pkey -in ephemeral.key -pubout -outform DER | tail -c $((2 * $(stat -c %s shared) + 1)) >point
        check "${type%:*}" shared point
done
[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"

# The check can fail: without a session the marker is there for everybody.
tool persist device rsa2048
tool certificate device rsa2048 x | openssl x509 -noout -pubkey >key.pub
openssl rand 32 >marker
openssl pkeyutl -encrypt -pubin -inkey key.pub -in marker -out cipher
rm -f bus.pcap
tpm2_rsadecrypt -Q -T "pcap:$TCTI" -c 0x81008886 -s rsaes -o decrypted cipher
cmp marker decrypted
on_bus || fail "the recording of the bus does not show what passes over it"
