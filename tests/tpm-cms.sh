#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files that openssl has made, decrypted with a key in a TPM. Nothing is left in it, whatever happens.

. "$(dirname "$0")/tpm.sh"

start_tpm
cd "$WORK"
tool certificate device rsa2048 SN19842256 >device.crt
seq 3000 >plain

# RFC 8886, appendix A.2.2, as printed. Without -binary openssl writes CR LF.
sed 's/$/\r/' plain >canonical
openssl smime -encrypt -aes-256-cbc -in plain -out smime.pem -outform PEM device.crt
tool decrypt device rsa2048 SN19842256 <smime.pem >decrypted
cmp canonical decrypted

n=0
check() {
        "$@" -in plain -binary -out file device.crt
        tool decrypt device rsa2048 SN19842256 <file >decrypted
        cmp plain decrypted
        n=$((n + 1))
}
for format in PEM DER SMIME; do
        check openssl smime -encrypt -aes-256-cbc -outform "$format"
        for cipher in aes-128-cbc aes-192-cbc aes-256-cbc aes-128-gcm aes-192-gcm aes-256-gcm; do
                check openssl cms -encrypt "-$cipher" -outform "$format"
                check openssl cms -encrypt "-$cipher" -outform "$format" -stream -keyid
        done
        check openssl cms -encrypt -aes-256-gcm -outform "$format" -recip device.crt -keyopt rsa_padding_mode:oaep \
                -keyopt rsa_oaep_md:sha256
done
check openssl smime -encrypt -aes-256-cbc -outform PEM -to switch -from noc -subject SN19842256
check openssl cms -encrypt -aes-256-gcm -outform SMIME -to switch -from noc -subject SN19842256
[ "$n" -eq 44 ] || fail "$n files instead of 44"
[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"

# What is refused leaves nothing either: not in the TPM, and no byte of output.
refused() {
        expect_status 65 tool decrypt device rsa2048 SN19842256 <"$1" >decrypted 2>reason
        [ ! -s decrypted ] || fail "output of a refused file: $1"
        grep -q "$2" reason || fail "\"$2\" is not in: $(cat reason)"
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.crt -subj /CN=other -days 2 2>openssl.log
openssl cms -encrypt -aes-256-gcm -in plain -out foreign -outform DER other.crt
refused foreign 'not encrypted for this device, but for /CN=other serial'
openssl smime -encrypt -des3 -in plain -out des3 -outform PEM device.crt
refused des3 'encrypted with des-ede3-cbc; use -aes-256-gcm'
openssl cms -encrypt -aes-256-gcm -binary -in plain -out damaged -outform DER device.crt
damage damaged 2000
refused damaged 'cannot be decrypted'
refused plain 'not encrypted'
openssl smime -sign -in plain -out signed -signer other.crt -inkey other.key -outform DER
refused signed 'pkcs7-signedData'
openssl cms -encrypt -aes-256-cbc -pwri_password secret -in plain -out password -outform DER
refused password 'but for a password'
[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"

# The certificate of another TPM, or of this one after its endorsement seed was changed, is not ours any more.
stop_tpm
expect_status 75 tool decrypt device rsa2048 SN19842256 <smime.pem
rm -rf tpm
mkdir tpm
start_tpm
refused smime.pem 'not encrypted for this device'
