#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Both slots through TPM2_Clear, eviction, a restored state, a changed seed; certificates in NV memory; keys made elsewhere.

. "$(dirname "$0")/tpm.sh"

start_tpm
cd "$WORK"
echo 'hostname sw1' >plain

decrypts() {
        tool decrypt "$1" "$2" SN1 <"$3" | cmp plain -
}

for key in device:rsa2048 operator:p384 device:p256 operator:rsa3072; do
        slot=${key%:*} type=${key#*:}
        tool certificate "$slot" "$type" SN1 >"$type.crt"
        openssl cms -encrypt -aes-256-gcm -binary -in plain -out "$type.enc" -outform DER "$type.crt"
        decrypts "$slot" "$type" "$type.enc"
done

# The slots hold different keys, and each has only its own.
tool certificate operator rsa2048 SN1 | openssl x509 -noout -pubkey >operator.pub
openssl x509 -in rsa2048.crt -noout -pubkey | cmp -s - operator.pub && fail "the slots share a key"
expect_status 65 tool decrypt operator rsa2048 SN1 <rsa2048.enc

# Persistent copies and certificates come and go, slot by slot; what was stored last counts.
expect_status 1 tool load device
expect_status 1 tool discard device
for _ in 1 2; do
        tool persist device rsa2048
        tool persist operator p384
        tool store device rsa2048 SN1
        tool store operator p384 SN1
done
tool load device | cmp - rsa2048.crt
tool load operator | openssl x509 -noout -pubkey | cmp - <(openssl x509 -in p384.crt -noout -pubkey)
tool store device p256 SN1
tool load device | openssl x509 -noout -pubkey | cmp - <(openssl x509 -in p256.crt -noout -pubkey)
tool remove operator
tool discard operator
expect_status 1 tool find operator
expect_status 1 tool remove operator
expect_status 1 tool load operator
tool find device
tool load device >stored.crt
tool persist operator p384

# The persistent copy is lost: the key is not.
tpm2_evictcontrol -Q -C o -c 0x81008886
decrypts device rsa2048 rsa2048.enc
tool persist device rsa2048
decrypts device rsa2048 rsa2048.enc

# TPM2_Clear: copies and stored certificates go, keys stay, and so do the files made for them.
stop_tpm
cp -a tpm before
start_tpm
tpm2_clear -c platform
[ -z "$(tpm2_getcap handles-persistent)" ] || fail "a persistent key survived TPM2_Clear"
expect_status 1 tool load device
expect_status 1 tool find operator
for key in device:rsa2048 operator:p384 device:p256 operator:rsa3072; do
        decrypts "${key%:*}" "${key#*:}" "${key#*:}.enc"
        tool check "${key%:*}" "${key#*:}" "@${key#*:}.crt"
done
tool certificate device rsa2048 SN1 | cmp - rsa2048.crt

# An older state comes back.
stop_tpm
rm -rf tpm
cp -a before tpm
start_tpm
tool find device | grep -q '^device rsa2048'
tool load device | cmp - stored.crt
decrypts operator p384 p384.enc

# Another TPM, or another seed in this one: the certificate says so.
tpm2_changeeps -Q
expect_status 1 tool check device rsa2048 @rsa2048.crt 2>reason
grep -q '^Stale' reason || fail "a stale certificate is not told: $(cat reason)"
expect_status 65 tool decrypt device rsa2048 SN1 <rsa2048.enc

# What others have put at our places is neither used nor removed.
tpm2_nvdefine -Q -C o -s 100 -a 'ownerread|ownerwrite|authread|authwrite' 0x01808887
head -c 100 /dev/zero | tpm2_nvwrite -Q -C o -i - 0x01808887
expect_status 1 tool load operator
expect_status 1 tool store operator p256 SN1
expect_status 1 tool discard operator
tpm2_nvread -C o 0x01808887 | cmp - <(head -c 100 /dev/zero)

# Keys made elsewhere: one like ours, one that only signs, an endorsement key, one with a password.
make_key() {
        tpm2_createprimary -Q -C o -G "$2" -a "$3" -c made.ctx ${5:+-p "$5"}
        tpm2_flushcontext -t
        tpm2_evictcontrol -Q -C o -c made.ctx "$1"
        tpm2_flushcontext -t
}
common='fixedtpm|fixedparent|sensitivedataorigin|userwithauth'
make_key 0x81010001 rsa2048:null "$common|decrypt|sign" -
make_key 0x81010002 ecc256:ecdsa-sha256 "$common|sign" -
make_key 0x81010003 ecc256:aes128cfb "$common|decrypt|restricted" -
make_key 0x81010004 ecc256:null "$common|decrypt|sign" - secret
make_key 0x81010005 rsa2048:rsaes "$common|decrypt" -
tool show 0x81010001 rsa2048 | grep -qx 'rsa2048 can decrypt'
tool show 0x81010002 p256 | grep -q '^p256 it can only sign'
tool show 0x81010003 p256 | grep -q '^p256 it is restricted'
tool show 0x81010005 p256 | grep -q '^rsa2048 it is bound to one scheme'
expect_status 1 tool show 0x81010099 p256
expect_status 1 tool show 0x01808886 p256
tool certificate 0x81010001 rsa2048 idevid >idevid.crt
openssl cms -encrypt -aes-256-gcm -binary -in plain -out idevid.enc -outform DER idevid.crt
tool decrypt 0x81010001 rsa2048 @idevid.crt <idevid.enc | cmp plain -

# 802.1AR: the certificate is read from NV, also with padding behind it; its key signs, and says why it cannot decrypt.
tool certificate 0x81010002 p256 idevid >signer.crt
tool request 0x81010002 p256 idevid | openssl req -noout -verify
openssl x509 -in signer.crt -outform DER -out signer.der
head -c 1500 /dev/zero >>signer.der
tpm2_nvdefine -Q -C o -s "$(stat -c %s signer.der)" -a 'ownerread|ownerwrite|policywrite' 0x01c90000
tpm2_nvwrite -Q -C o -i signer.der 0x01c90000
tool index 0x01c90000 | cmp - signer.crt
openssl cms -encrypt -aes-256-gcm -binary -in plain -out signer.enc -outform DER signer.crt
expect_status 65 tool decrypt 0x81010002 p256 @signer.crt <signer.enc 2>reason
grep -q 'cannot decrypt: it can only sign' reason || fail "no explanation: $(cat reason)"

# A password that we do not have; and then lockout, which does not touch our own keys.
openssl pkey -pubin -in <(tpm2_readpublic -Q -c 0x81010004 -f pem -o /dev/stdout) -pubout -out locked.pub
openssl x509 -new -subj /CN=locked -force_pubkey locked.pub -signkey <(openssl ecparam -name prime256v1 -genkey -noout) \
        -out locked.crt -days 2 2>openssl.log || cat openssl.log
openssl cms -encrypt -aes-256-gcm -binary -in plain -out locked.enc -outform DER locked.crt
tpm2_dictionarylockout -Q --setup-parameters --max-tries=2 --recovery-time=1000 --lockout-recovery-time=1000
for _ in 1 2 3 4; do
        expect_status 75 tool decrypt 0x81010004 p256 @locked.crt <locked.enc 2>reason
done
grep -q 'lockout' reason || fail "lockout is not named: $(cat reason)"
tool certificate device p256 SN1 >new.crt
openssl cms -encrypt -aes-256-gcm -binary -in plain -out new.enc -outform DER new.crt
decrypts device p256 new.enc
[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"

# TPM2_Clear and keys made elsewhere: the owner's goes, and is another one when it is made again; the platform's stays.
tpm2_dictionarylockout -Q --clear-lockout
tpm2_createprimary -Q -C p -G rsa2048:null -a "$common|decrypt|sign" -c made.ctx
tpm2_flushcontext -t
tpm2_evictcontrol -Q -C p -c made.ctx 0x81800001
tpm2_flushcontext -t
tool certificate 0x81800001 rsa2048 platform >platform.crt
openssl cms -encrypt -aes-256-gcm -binary -in plain -out platform.enc -outform DER platform.crt
tpm2_readpublic -Q -c 0x81010001 -f pem -o owner.before
tpm2_clear -c platform
tool decrypt 0x81800001 rsa2048 @platform.crt <platform.enc | cmp plain -
expect_status 1 tool show 0x81010001 rsa2048
make_key 0x81010001 rsa2048:null "$common|decrypt|sign" -
tpm2_readpublic -Q -c 0x81010001 -f pem -o owner.after
! cmp -s owner.before owner.after || fail "an owner's key survived TPM2_Clear"
[ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"
