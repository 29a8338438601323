#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keys and certificates in a TPM: always the same key, a cache that is only a cache, and nothing left behind.

. "$(dirname "$0")/tpm.sh"

start_tpm
cd "$WORK"
[ "$(loaded)" -eq 0 ] || fail "the TPM is not empty at the start"

for type in rsa2048 p256; do
        tool certificate device "$type" SN19842256 >"$type.crt"
        tool request device "$type" SN19842256 >"$type.csr"
        openssl x509 -in "$type.crt" -noout -text >"$type.txt"
        grep -Eq 'Issuer: CN ?= ?SN19842256$' "$type.txt" || fail "issuer"
        grep -Eq 'Subject: CN ?= ?SN19842256$' "$type.txt" || fail "subject"
        grep -q 'Not After : Dec 31 23:59:59 9999 GMT' "$type.txt" || fail "notAfter"
        openssl verify -CAfile "$type.crt" -check_ss_sig "$type.crt"
        openssl req -in "$type.csr" -noout -verify
        openssl req -in "$type.csr" -noout -subject | grep -Eqx 'subject=CN ?= ?SN19842256' || fail "CSR subject"
        openssl x509 -in "$type.crt" -noout -pubkey >crt.pub
        openssl req -in "$type.csr" -noout -pubkey >csr.pub
        cmp crt.pub csr.pub

        # RFC 5280, 4.2.1.2 (1): the SHA-1 of the public key's bits, which are the end of the SubjectPublicKeyInfo.
        bits=$([ "$type" = p256 ] && echo 65 || echo 270)
        openssl pkey -pubin -in crt.pub -outform DER | tail -c "$bits" | openssl dgst -sha1 -r | cut -d' ' -f1 >sha1
        openssl x509 -in "$type.crt" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :' |
                tr '[:upper:]' '[:lower:]' | cmp - sha1
        [ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"
done
grep -q 'Key Encipherment' rsa2048.txt || fail "an RSA key enciphers keys"
grep -q 'Key Agreement' p256.txt || fail "an EC key agrees"

# Made again it is the same: RSA to the byte, ECDSA but for the signature.
tool certificate device rsa2048 SN19842256 | cmp - rsa2048.crt
for field in -serial -issuer -pubkey "-ext subjectKeyIdentifier"; do
        # shellcheck disable=SC2086
        tool certificate device p256 SN19842256 | openssl x509 -noout $field | cmp - <(openssl x509 -in p256.crt -noout $field)
done

# The operators' tools accept it.
echo 'hostname sw1' >plain
openssl smime -encrypt -aes-256-cbc -in plain -out smime.pem -outform PEM rsa2048.crt
openssl cms -encrypt -aes-256-gcm -keyid -in plain -out keyid.pem -outform PEM rsa2048.crt
openssl cms -encrypt -aes-256-gcm -in plain -out ec.pem -outform PEM p256.crt

# A persistent copy is found, replaced by the other type, and survives a restart.
expect_status 1 tool find device
for type in rsa2048 p256; do
        tool persist device "$type"
        tool persist device "$type"
        tool find device | grep -q "^device $type " || fail "the persistent key is not found"
        [ "$(tpm2_getcap handles-persistent)" = '- 0x81008886' ] || fail "one persistent key is expected"
        stop_tpm
        start_tpm
        tool find device | grep -q "^device $type " || fail "the persistent key is lost"
done
tool certificate device p256 SN19842256 | openssl x509 -noout -serial | cmp - <(openssl x509 -in p256.crt -noout -serial)

# The fingerprint is that of the public key.
openssl x509 -in p256.crt -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1 >sum
tool find device | sed 's/^device p256 //; s/ //g' | cmp - sum

# What is not ours is neither used nor removed.
tpm2_evictcontrol -Q -C o -c 0x81008886
tpm2_createprimary -Q -C e -G ecc -c foreign.ctx
tpm2_evictcontrol -Q -C o -c foreign.ctx 0x81008886
tpm2_flushcontext -t
tpm2_readpublic -Q -c 0x81008886 -o foreign.pem -f pem
expect_status 1 tool find device
expect_status 1 tool persist device p256
tool certificate device rsa2048 SN19842256 | cmp - rsa2048.crt
tpm2_readpublic -Q -c 0x81008886 -o still.pem -f pem
cmp foreign.pem still.pem

[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"

# Without a TPM, and with names that no certificate can carry.
expect_status 1 tool certificate device p256 ''
expect_status 1 tool certificate device p256 'a b'
expect_status 1 tool certificate device p256 "$(printf 'x%.0s' {1..65})"
tool certificate device p256 "$(printf 'x%.0s' {1..64})" >/dev/null
stop_tpm
rm "$WORK/tpm/sock"
expect_status 75 tool find device
