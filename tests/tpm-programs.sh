#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The keys as people see them: sdictl key, and sdi-unwrap with a key in every slot.

. "$(dirname "$0")/tpm.sh"

start_tpm
cd "$WORK"
export RUNTIME_DIRECTORY="$WORK/run" STATE_DIRECTORY="$WORK/state"
mkdir run
echo SN19842256 >serial
cat >sdi.conf <<EOF
[Identity]
Source=file
File=$WORK/serial
[Key]
TCTI=$TCTI
EOF
echo 'hostname sw1' >plain

sdictl() {
        "$BUILD/agent/sdictl" --config="$WORK/${config:-sdi.conf}" "$@"
}

unwrap() {
        "$BUILD/agent/sdi-unwrap" --config="$WORK/${config:-sdi.conf}" --once <"$1"
}

# $1 file, $2 certificate: encrypts to it
encrypt() {
        openssl cms -encrypt -aes-256-gcm -binary -in plain -outform DER -out "$1" "$2"
}

# $1 status, $2 what is said, then the command
refused() {
        local status=$1 text=$2

        shift 2
        expect_status "$status" "$@" >output 2>said
        [ ! -s output ] || fail "output after an error: $*"
        grep -qF -- "$text" said || fail "\"$text\" is not in: $(cat said)"
}

field() {
        sdictl key list --json | gojq -r ".[] | select(.slot == \"$1\") | .$2"
}

# An empty TPM.
refused 69 'no key yet' sdictl key list
refused 69 'no key yet' sdictl key show
refused 69 'no key yet' sdictl key certificate
refused 69 "there is no operator's key" sdictl key show --slot=operator
[ "$(sdictl key list --json)" = '[]' ] || fail 'no key is an empty list'

# Both slots, of different types. sdi-key.service has the serial number looked for before, by somebody who may do more.
refused 66 "$RUNTIME_DIRECTORY/identity.json: No such file" sdictl key create --saved-identity
sdictl identity --save
mv serial elsewhere
refused 69 'no serial number' sdictl key create
sdictl key create --saved-identity >created
mv elsewhere serial
sdictl key show | cmp - created
sdictl key create --slot=operator --type=p384 >/dev/null
[ "$(field device type) $(field operator type)" = 'rsa2048 p384' ] || fail 'the types of the keys'
[ "$(field device ready) $(field operator ready)" = 'true true' ] || fail 'the keys are not ready'
for slot in device operator; do
        sdictl key certificate --slot=$slot | cmp - "state/$slot.crt"
        openssl x509 -in "state/$slot.crt" -noout -pubkey >public
        sdictl key request --slot=$slot | openssl req -noout -pubkey | cmp - public
        [ "$(field $slot fingerprint)" = "$(openssl pkey -pubin -in public -outform DER | sha256sum | cut -d' ' -f1)" ] ||
                fail "the fingerprint of $slot"
        encrypt "$slot.enc" "state/$slot.crt"
        unwrap "$slot.enc" | cmp - plain
        cp "state/$slot.crt" "$slot.crt"
done
openssl cms -encrypt -aes-256-gcm -binary -in plain -outform DER -out both.enc device.crt operator.crt
unwrap both.enc | cmp - plain

# Certificates that were lost come back as they were published, an ECDSA one from the TPM's memory.
rm state/*.crt
refused 75 'no key yet' unwrap device.enc
sdictl key create >/dev/null
sdictl key create --slot=operator --type=p384 >/dev/null
cmp state/device.crt device.crt
cmp state/operator.crt operator.crt
tpm2_clear -Q # the keys are of the endorsement hierarchy; copies and memory go
for slot in device operator; do
        unwrap $slot.enc | cmp - plain
done
sdictl key create >/dev/null
cmp state/device.crt device.crt

# One bad certificate is no reason not to use the other.
echo nonsense >state/operator.crt
unwrap device.enc | cmp - plain
refused 65 'not encrypted for this device' unwrap operator.enc
sdictl key list 2>said >/dev/null
grep -q 'slot operator: .*no certificate' said || fail "a bad certificate is not told: $(cat said)"
cp operator.crt state/operator.crt

# Another TPM's certificate.
cp device.crt mine.crt
tool certificate operator rsa2048 SN19842256 >state/device.crt
encrypt foreign.enc state/device.crt
refused 75 'the key in the TPM is not that of the certificate' unwrap foreign.enc
expect_status 69 sdictl key show >said
grep -q '^State:       the key in the TPM is not that of the certificate' said || fail "not told: $(cat said)"
sdictl key create >/dev/null
cmp state/device.crt mine.crt

# Removed, and made again.
refused 64 'say --yes' sdictl key remove --slot=operator
[ -e state/operator.crt ] || fail 'removed without --yes'
sdictl key create --slot=operator --type=p384 >/dev/null
cp state/operator.crt operator.crt
encrypt operator.enc operator.crt
sdictl key remove --slot=operator --yes
refused 69 "there is no operator's key" sdictl key remove --slot=operator --yes
refused 65 'not encrypted for this device' unwrap operator.enc
[ "$(sdictl key list --json | gojq -r '.[].slot')" = device ] || fail 'the operator slot is not empty'
[ "$(tpm2_getcap handles-persistent)" = '- 0x81008886' ] || fail 'one persistent key is expected'
sdictl key create --slot=operator --type=p384 >/dev/null
unwrap operator.enc | cmp - plain
sdictl key remove --slot=operator --yes

# A key made elsewhere, its certificate in a file or in the TPM; one that can only sign receives nothing, but asks for a certificate.
tpm2_createprimary -Q -C o -G rsa2048:null:null -c made.ctx -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|decrypt|sign'
tpm2_evictcontrol -Q -C o -c made.ctx 0x81010001
tpm2_flushcontext -t
tpm2_readpublic -Q -c 0x81010001 -f pem -o made.pub
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl x509 -new -subj /CN=made -force_pubkey made.pub -signkey ca.key -out made.crt -days 2 2>/dev/null || [ -s made.crt ]
encrypt made.enc made.crt
{ cat sdi.conf; printf 'Handle=0x81010001\nCertificate=%s\n' "$WORK/made.crt"; } >handle.conf
config=handle.conf
unwrap made.enc | cmp - plain
unwrap device.enc | cmp - plain
sdictl key show --slot=handle --json | gojq -e '.ready and .name == "made"' >/dev/null || fail 'the key of Handle= is not shown'
sdictl key request --slot=handle | openssl req -noout -pubkey | cmp - made.pub
openssl x509 -new -subj "/CN=$(printf 'made\033[2J')" -force_pubkey made.pub -signkey ca.key -out evil.crt -days 2 2>/dev/null || [ -s evil.crt ]
{ cat sdi.conf; printf 'Handle=0x81010001\nCertificate=%s\n' "$WORK/evil.crt"; } >evil.conf
config=evil.conf sdictl key show --slot=handle | grep -qxF 'Name:        made\x1b[2J' || fail 'a name is shown as it is'
[ "$(config=evil.conf sdictl key list --json | gojq -r '.[] | select(.slot == "handle") | .name')" = 'made\x1b[2J' ] || fail 'a name is in JSON as it is'
refused 64 'made elsewhere' sdictl key create --slot=handle
refused 64 'made elsewhere' sdictl key remove --slot=handle --yes
tpm2_createprimary -Q -C o -G rsa2048:null:null -c idevid.ctx -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
tpm2_evictcontrol -Q -C o -c idevid.ctx 0x81010002
tpm2_flushcontext -t
tpm2_readpublic -Q -c 0x81010002 -f pem -o idevid.pub
openssl x509 -new -subj /CN=idevid -force_pubkey idevid.pub -signkey ca.key -out idevid.crt -days 2 2>/dev/null || [ -s idevid.crt ]
encrypt idevid.enc idevid.crt
sed -i "s|^Certificate=.*|Certificate=$WORK/idevid.crt|; s|^Handle=.*|Handle=0x81010002|" handle.conf
refused 65 'it can only sign' unwrap idevid.enc
sdictl key show --slot=handle | grep -q '^State:       it can only sign; make a key in the slot `device`' || fail 'a key that signs only is not told'
sdictl key request --slot=handle | openssl req -verify -noout -pubkey -out request.pub
cmp request.pub idevid.pub
sed -i "s|^Certificate=.*|Certificate=nv:0x01808886|; s|^Handle=.*|Handle=0x81008886|" handle.conf
rm state/device.crt
unwrap device.enc | cmp - plain
config=
sdictl key create >/dev/null

# Words that mean nothing.
refused 64 'one of list, create' sdictl key
refused 64 'none of list, create' sdictl key burn
refused 64 'none of device, operator, handle' sdictl key show --slot=x
refused 64 'none of rsa2048' sdictl key create --type=rsa512

# Ciphers of old, when they are asked for.
openssl cms -encrypt -des3 -binary -in plain -outform DER -out des.enc device.crt
refused 65 'use -aes-256-gcm' unwrap des.enc
{ cat sdi.conf; printf '[Install]\nLegacyCiphers=yes\n'; } >legacy.conf
config=legacy.conf
unwrap des.enc | cmp - plain
config=

[ "$(loaded)" -eq 0 ] || fail 'something is left in the TPM'
