#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Somebody sits on the bus between the programs and the TPM, and changes what passes: tests/interposer.

. "$(dirname "$0")/tpm.sh"

start_tpm
cd "$WORK"
export RUNTIME_DIRECTORY="$WORK/run" STATE_DIRECTORY="$WORK/state"
mkdir run
echo SN19842256 >serial
cat >sdi.conf <<EOF_
[Identity]
Source=file
File=$WORK/serial
[Key]
TCTI=swtpm:path=$WORK/bus
EOF_
echo 'hostname sw1' >plain
START_AUTH_SESSION=176 RSA_DECRYPT=159 ECDH_ZGEN=154 SIGN=15d

# interpose [ATTACK ARGUMENT...]
interpose() {
        [ -z "${pid_interposer-}" ] || stop interposer
        rm -f bus bus.ctrl bus.log
        start interposer "$TESTS/interposer" "$WORK/bus" "$WORK/tpm/sock" "$WORK/bus.log" "$@"
        wait_for 5 test -e bus.log
}

sdictl() {
        "$BUILD/agent/sdictl" --config="$WORK/sdi.conf" "$@"
}

unwrap() {
        "$BUILD/agent/sdi-unwrap" --config="$WORK/${config:-sdi.conf}" --once <"$1"
}

seen() {
        grep -q "^$1\>" bus.log
}

# $1 what is said, $2 file: it is not decrypted, and may be tried again.
refused() {
        expect_status 75 unwrap "$2" >output 2>said
        [ ! -s output ] || fail "output after an error"
        grep -qF -- "$1" said || fail "\"$1\" is not in: $(cat said)"
}

# $1 what is said: no key is made.
not_created() {
        expect_status 69 sdictl key create --type="$type" >output 2>said
        grep -qF -- "$1" said || fail "\"$1\" is not in: $(cat said)"
        [ ! -e state/device.crt ] || fail 'there is a certificate of a key that is not the TPM'"'"'s'
}

for type in rsa2048:$RSA_DECRYPT rsa3072:$RSA_DECRYPT p256:$ECDH_ZGEN p384:$ECDH_ZGEN; do
        private=${type#*:} type=${type%:*}
        rm -rf state "$type.public"
        ! tool remove device 2>/dev/null || echo 'the key of another type is removed'
        # Of the same form as the key's own, and of another key.
        tool persist operator "$type"
        tpm2_readpublic -Q -c 0x81008887 -f tss -o "$type.public"
        tool remove operator

        # At the first power-on: another public key than that of the key that signs, and a damaged signature.
        interpose public "$type.public" 1
        not_created 'the signature that comes from the TPM is not one of this key'
        interpose damage $SIGN
        not_created 'the signature that comes from the TPM is not one of this key'

        interpose
        sdictl key create --type="$type" >/dev/null
        openssl cms -encrypt -aes-256-gcm -binary -in plain -outform DER -out "$type.enc" state/device.crt
        unwrap "$type.enc" | cmp plain -
        seen $START_AUTH_SESSION || fail 'there was no session'
        seen "$private" || fail 'nothing was decrypted'

        # No session: TPM_RC_SYMMETRIC, TPM_RC_COMMAND_CODE, TPM_RC_VALUE, TPM_RC_HASH, TPM_RC_SESSION_HANDLES. Then nothing is decrypted.
        for rc in 2d6 143 2c4 2c3 905; do
                interpose refuse $START_AUTH_SESSION $rc
                refused 'the TPM refuses the session that encrypts its answers (BusEncryption= in sdi.conf(5))' "$type.enc"
                seen $START_AUTH_SESSION || fail 'no session was asked for'
                ! seen "$private" || fail 'it was decrypted without a session'
        done

        # Another public key: with the persistent copy and without it.
        for copy in yes no; do
                [ $copy = yes ] || tool remove device
                interpose public "$type.public" 1
                refused 'the key in the TPM is not that of the certificate' "$type.enc"
                ! seen $START_AUTH_SESSION || fail 'a session was started with a key that is not the one of the certificate'
                # Only when it is read once more: the session is not for that key.
                for n in 2 3; do
                        interpose public "$type.public" $n
                        unwrap "$type.enc" >output 2>said || { [ $? -eq 75 ] && ! seen $START_AUTH_SESSION; } ||
                                fail "the session's secret went to a key that is not the one of the certificate: $(cat said)"
                done
        done
        tool persist device "$type"

        # An answer that is not encrypted, in each form that it can have; an answer that was changed.
        for attack in 'strip plain' 'strip password' attribute size "damage $private"; do
                # shellcheck disable=SC2086
                interpose $attack
                refused "this device's key cannot be used now" "$type.enc"
                seen "$private" || fail 'nothing was decrypted'
        done
        interpose
        unwrap "$type.enc" | cmp plain -

        # It is done without where sdi.conf says so, and there only.
        { cat sdi.conf; echo BusEncryption=no; } >exposed.conf
        config=exposed.conf
        interpose
        unwrap "$type.enc" | cmp plain -
        ! seen $START_AUTH_SESSION || fail 'a session was started all the same'
        seen "$private" || fail 'nothing was decrypted'
        sed -i 's/BusEncryption=.*/BusEncryption=optional/' exposed.conf
        expect_status 78 unwrap "$type.enc" 2>said
        grep -q 'bad value of BusEncryption=' said || fail "not told: $(cat said)"
        config=
done
[ "$(loaded)" -eq 0 ] || fail 'something is left in the TPM'
