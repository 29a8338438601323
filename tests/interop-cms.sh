#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files as openssl, BouncyCastle, gpgsm and NSS write them, in every mode that the reader knows, decrypted with keys of every
# type in a TPM; and RFC 8886's own commands.

. "$(dirname "$0")/tpm.sh"

JARS=/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar

start_tpm
cd "$WORK"
for type in rsa2048 rsa3072 p256 p384; do
        tool certificate device "$type" SN19842256 >"$type.crt"
        tool certificate operator "$type" SN19842256 >"$type.other"
done
seq 1000 >plain

n=0 kept=
# $1 key type, $2 file
check() {
        # Kept in the TPM, so that it is not made again for each file.
        [ "$1" = "$kept" ] || tool persist device "$1"
        kept=$1
        tool decrypt device "$1" "@$1.crt" <"$2" >decrypted 2>reason || fail "$1 $2: $(cat reason)"
        cmp plain decrypted
        n=$((n + 1))
}
refused() {
        expect_status 65 tool decrypt device "$1" "@$1.crt" <"$2" >decrypted 2>reason
        [ ! -s decrypted ] || fail "output of a refused file: $2"
        grep -q "$3" reason || fail "\"$3\" is not in: $(cat reason)"
}
# $1 how many files the producer $2 is to have made
count() {
        [ "$n" -eq "$1" ] || fail "$2: $n files instead of $1"
        [ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"
        n=0
}

# --- RFC 8886, appendix A, as printed where it can work. The content has CR LF then: -binary is missing.
cp rsa2048.crt SN19842256.crt
cp plain SN19842256.cfg
openssl smime -encrypt -aes-256-cbc -in SN19842256.cfg \
        -out SN19842256.enc -outform PEM SN19842256.crt
tool decrypt device rsa2048 SN19842256 <SN19842256.enc | cmp <(sed 's/$/\r/' plain) -
# A.1 makes a P-256 key, for which PKCS #7 and with it `openssl smime` have no way to encrypt. `openssl cms` does.
openssl smime -encrypt -aes-256-cbc -in SN19842256.cfg -out SN19842256.enc -outform PEM p256.crt 2>reason &&
        fail "openssl smime encrypts to an EC key: then the documentation is wrong"
openssl cms -encrypt -aes-256-cbc -binary -in SN19842256.cfg -out SN19842256.enc -outform PEM p256.crt
check p256 SN19842256.enc
n=0

# --- openssl
encrypt() {
        local type=$1

        shift
        openssl cms -encrypt "$@" -binary -in plain -out file -recip "$type.crt" "${keyopt[@]}"
        check "$type" file
}
keyopt=()
for type in rsa2048 rsa3072 p256 p384; do
        for format in PEM DER SMIME; do
                for cipher in aes-128-cbc aes-192-cbc aes-256-cbc aes-128-gcm aes-192-gcm aes-256-gcm; do
                        encrypt "$type" "-$cipher" -outform "$format"
                        encrypt "$type" "-$cipher" -outform "$format" -stream
                        encrypt "$type" "-$cipher" -outform "$format" -keyid
                done
        done
        encrypt "$type" -aes256 -outform PEM -to switch -from noc -subject SN19842256
        encrypt "$type" -aes256 -outform SMIME -to switch -from noc -subject SN19842256
        encrypt "$type" -aes256 -outform SMIME -crlfeol
        encrypt "$type" -aes-256-gcm -outform DER -recip "$type.other"
done
for format in PEM DER SMIME; do
        openssl smime -encrypt -aes-192-cbc -binary -in plain -out file -outform "$format" rsa3072.crt
        check rsa3072 file
        openssl smime -encrypt -aes-192-cbc -binary -stream -in plain -out file -outform "$format" rsa3072.crt
        check rsa3072 file
done
for type in rsa2048 rsa3072; do
        for digest in sha1 sha224 sha256 sha384 sha512; do
                for mask in sha1 sha256 sha512; do
                        keyopt=(-keyopt rsa_padding_mode:oaep -keyopt "rsa_oaep_md:$digest" -keyopt "rsa_mgf1_md:$mask")
                        encrypt "$type" -aes-256-gcm -outform DER
                done
        done
        keyopt+=(-keyopt rsa_oaep_label:0123456789abcdef00)
        encrypt "$type" -aes-256-gcm -outform DER
done
for type in p256 p384; do
        for digest in sha1 sha224 sha256 sha384 sha512; do
                for cofactor in 0 1; do
                        for wrap in aes128 aes192 aes256; do
                                keyopt=(-keyopt "ecdh_kdf_md:$digest" -keyopt "ecdh_cofactor_mode:$cofactor")
                                encrypt "$type" -aes-192-gcm -outform DER "-$wrap-wrap"
                        done
                done
        done
done
count 330 openssl

# --- BouncyCastle
mkdir classes
javac -d classes -cp "$JARS" "$TESTS/interop/Encrypt.java"
for type in rsa2048 rsa3072 p256 p384; do
        mkdir "$type"
        java -cp "$JARS:classes" Encrypt "$type.crt" "$type.other" plain "$type"
        refused "$type" "$type/refused-tag12.bc" 'an authentication tag of 12 bytes; 16 are needed'
        refused "$type" "$type/refused-3des.bc" 'encrypted with des-ede3-cbc; use -aes-256-gcm'
        rm "$type"/refused-*
        for file in "$type"/*.bc; do
                check "$type" "$file"
        done
done
count 86 BouncyCastle

# --- gpgsm, which writes to RSA keys only (2.2 fails on its own EC recipients)
export GNUPGHOME="$WORK/gnupg"
mkdir -m 700 "$GNUPGHOME"
fingerprint() {
        openssl x509 -in "$1" -noout -fingerprint -sha1 | sed 's/.*=//'
}
for type in rsa2048 rsa3072; do
        gpgsm --batch --import "$type.crt" 2>gpgsm.log
        echo "$(fingerprint "$type.crt") S relax" >>"$GNUPGHOME/trustlist.txt" # not a CA's
done
for type in rsa2048 rsa3072; do
        id=0x$(fingerprint "$type.crt" | tr -d :)
        for form in --no-armor --armor --base64; do
                for cipher in AES128 AES192 AES256; do
                        gpgsm --batch --yes --disable-crl-checks "$form" --cipher-algo "$cipher" --output file \
                                --recipient "$id" --encrypt plain 2>gpgsm.log
                        check "$type" file
                done
        done
done
gpgconf --kill all
count 18 gpgsm

# --- NSS, which writes to RSA keys only
mkdir nss
certutil -N -d sql:nss --empty-password
for type in rsa2048 rsa3072; do
        certutil -A -d sql:nss -n "$type" -t P,P,P -a -i "$type.crt"
        cmsutil -E -d sql:nss -r "$type" -i plain -o file
        check "$type" file
        certutil -A -d sql:nss -n "$type.other" -t P,P,P -a -i "$type.other"
        cmsutil -E -d sql:nss -r "$type.other,$type" -i plain -o file
        check "$type" file
done
count 4 NSS
