#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files that no operator meant: each is refused with status 65 and a reason, without a byte of output, within a second of
# processor time and 32 MB, and leaves nothing in the TPM.

. "$(dirname "$0")/tpm.sh"

start_tpm
cd "$WORK"
tool certificate device rsa2048 SN1 >device.crt
tool certificate device p256 SN1 >ec.crt
tool persist device rsa2048
echo 'hostname sw1' >plain
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.crt -subj /CN=other -days 2 2>openssl.log

# $1 the file's name, $2 what the reason must say, $3 the key's type
n=0
refused() {
        local status=0

        prlimit --cpu=1 --data=$((32 << 20)) "$BUILD/tests/tpm-tool" "$TCTI" decrypt device "${3:-rsa2048}" \
                "@$([ "${3:-rsa2048}" = rsa2048 ] && echo device.crt || echo ec.crt)" <"$1" >output 2>reason || status=$?
        [ "$status" -eq 65 ] || fail "$1: status $status: $(cat reason)"
        [ ! -s output ] || fail "$1: output of a refused file"
        head -n 1 reason | grep -q "$2" || fail "$1: \"$2\" is not in: $(cat reason)"
        n=$((n + 1))
}
# Replaces bytes: the expression must apply.
patch_file() {
        perl -0777 -pe "s/$3/$4/s or die" "$1" >"$2"
}
encrypt() {
        openssl cms -encrypt -binary -in plain -outform "$1" -out "$2" "${@:3}" device.crt
}

encrypt DER gcm -aes-256-gcm
encrypt DER cbc -aes-256-cbc
encrypt DER gcm.ber -aes-256-gcm -stream
encrypt DER cbc.ber -aes-256-cbc -stream
encrypt PEM gcm.pem -aes-256-gcm
encrypt SMIME gcm.smime -aes-256-gcm

# Lengths that are not there, up to 2 GiB and 2^63.
for length in '\x84\x7f\xff\xff\xff' '\x84\xff\xff\xff\xff' '\x88\x7f\xff\xff\xff\xff\xff\xff\xff' \
        '\x88\x80\0\0\0\0\0\0\0' '\x88\xff\xff\xff\xff\xff\xff\xff\xff'; do
        printf '\x30%b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03' "$length" >length
        refused length 'malformed CMS'
        patch_file gcm length '\x31(\x82..)(\x30\x82.*)' "\\x31$length\$2" # RecipientInfos
        refused length 'malformed CMS'
        patch_file gcm.ber length '\x04\x0d(.{13})' "\\x04$length\$1" # the content
        refused length 'malformed CMS'
done

# 20,000 elements within each other, with and without their ends, and of definite length.
header='\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\x30\x80\x02\x01\0'
perl -e "print \"$header\", \"\\x31\\x80\" x 20000" >nested
refused nested 'malformed CMS'
perl -e "print \"$header\", \"\\x31\\x80\" x 20000, \"\\0\\0\" x 20003" >nested
refused nested 'malformed CMS'
perl -e '$x = ""; for (1 .. 20000) { $x = "\x31\x84" . pack("N", length $x) . $x } print "'"$header"'", $x, "\0" x 6' >nested
refused nested 'malformed CMS'
perl -0777 -e '$_ = <>; print; print "\x24\x80" x 20000' gcm >nested
refused nested 'something follows'

# Recipients.
mapfile -t recipients < <(yes other.crt | head -n 2000)
openssl cms -encrypt -aes-256-gcm -in plain -outform DER -out many "${recipients[@]}"
refused many 'more than 1024 recipients'
openssl cms -encrypt -aes-256-gcm -in plain -outform DER -out foreign other.crt
refused foreign 'not encrypted for this device, but for /CN=other'
openssl cms -encrypt -aes-256-cbc -in plain -outform DER -out password -pwri_password secret
refused password 'but for a password'
openssl cms -encrypt -aes-256-cbc -in plain -outform DER -out shared -secretkey 000102030405060708090a0b0c0d0e0f \
        -secretkeyid 01
refused shared 'but for a shared key'
openssl cms -encrypt -aes-256-cbc -in plain -outform DER -out agreed -recip ec.crt
patch_file agreed wrap '\x60\x86\x48\x01\x65\x03\x04\x01\x2d' '\x60\x86\x48\x01\x65\x03\x04\x01\x30'
refused wrap 'id-aes256-wrap-pad' p256

# Content types.
patch_file cbc.ber swapped '\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03' \
        '\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17'
refused swapped 'malformed CMS'
patch_file gcm.ber swapped '\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17' \
        '\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03'
refused swapped 'malformed CMS'
patch_file gcm.ber swapped '\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01' '\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03'
refused swapped 'what is encrypted is pkcs7-envelopedData'
openssl cms -sign -in plain -signer other.crt -inkey other.key -nodetach -outform DER -out signed
refused signed 'pkcs7-signedData'
openssl cms -EncryptedData_encrypt -aes-256-cbc -secretkey "$(printf '%064d' 0)" -in plain -outform DER -out encrypted
refused encrypted 'pkcs7-encryptedData'
openssl cms -digest_create -in plain -outform DER -out digested
refused digested 'pkcs7-digestData'
openssl cms -data_create -in plain -outform PEM -out data
refused data 'pkcs7-data'

# Ciphers, modes, key sizes, tags.
for cipher in aes-256-ecb:ecb aes-128-ofb:ofb aes-256-cfb:cfb camellia-256-cbc:camellia des3:des-ede3-cbc; do
        encrypt DER cipher "-${cipher%:*}"
        refused cipher "encrypted with .*${cipher#*:}.*; use -aes-256-gcm"
done
patch_file cbc cipher '\x60\x86\x48\x01\x65\x03\x04\x01\x2a' '\x60\x86\x48\x01\x65\x03\x04\x01\x7f'
refused cipher 'encrypted with 2.16.840.1.101.3.4.1.127'
patch_file cbc cipher '\x60\x86\x48\x01\x65\x03\x04\x01\x2a' '\x60\x86\x48\x01\x65\x03\x04\x01\x02'
refused cipher 'cannot be decrypted' # a key of 32 bytes for AES-128
patch_file cbc cipher '\x60\x86\x48\x01\x65\x03\x04\x01\x2a' '\x60\x86\x48\x01\x65\x03\x04\x01\x2e'
refused cipher 'aes-256-gcm in EnvelopedData, without a tag'
patch_file gcm.ber tag '\x04\x10(.{4}).{12}(\0+)$' '\x04\x04$1$2'
refused tag 'an authentication tag of 4 bytes; 16 are needed'
patch_file gcm.ber tag '\x02\x01\x10' '\x02\x01\x04'
refused tag 'an authentication tag of 4 bytes; 16 are needed'

# Two of them, and something else behind one.
for file in gcm gcm.ber; do
        cat "$file" "$file" >two
        refused two 'something follows'
        { cat "$file"; echo; } >two
        refused two 'something follows'
done
cat gcm.pem gcm.pem >two
refused two 'something follows'
cat gcm.smime gcm.smime >two
refused two 'malformed base64'

# PEM and MIME.
sed 1d gcm.pem >lines
refused lines 'malformed base64'
sed '$d' gcm.pem >lines
refused lines 'cut short'
sed '3s/./*/5' gcm.pem >lines
refused lines 'malformed base64'
sed 's/END CMS/END PKCS7/' gcm.pem >lines
refused lines 'does not match BEGIN'
sed 's/^-----BEGIN/----BEGIN/' gcm.pem >lines
refused lines 'malformed BEGIN line'
sed '1a Proc-Type: 4,ENCRYPTED' gcm.pem >lines
refused lines 'malformed'
{ printf 'X: '; head -c 2000000 /dev/zero | tr '\0' x; echo; cat gcm.smime; } >mime
refused mime 'header too long'
{ seq -f 'X-%.0f: y' 100000; cat gcm.smime; } >mime
refused mime 'header too long'
sed 's/base64/quoted-printable/' gcm.smime >mime
refused mime 'quoted-printable'

# What is not encrypted at all, when it must be.
printf '<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body></body></html>\n' >page
refused page 'not encrypted'
perl -e 'srand(1); print chr(128 + int rand 128) for 1 .. 100000' >noise
refused noise 'not encrypted'
: >empty
refused empty 'not encrypted'

# 30 envelopes, one in the other.
cp plain inner
for _ in $(seq 30); do
        openssl cms -encrypt -binary -aes-256-gcm -in inner -outform DER -out outer device.crt
        mv outer inner
done
refused inner 'encrypted or signed twice'

# Cut to every length.
for file in gcm.ber cbc; do
        for size in $(seq 1 "$(($(stat -c %s "$file") - 1))"); do
                head -c "$size" "$file" >short
                refused short 'cut short\|malformed'
        done
done

[ "$n" -ge 900 ] || fail "$n files only"
[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"
