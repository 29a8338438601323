#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Somebody has put a key that looks like ours, or something else, at our place in the TPM before we come, or afterwards.

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
TCTI=$TCTI
EOF_
echo 'hostname sw1' >plain

sdictl() {
        "$BUILD/agent/sdictl" --config="$WORK/sdi.conf" "$@"
}

unwrap() {
        "$BUILD/agent/sdi-unwrap" --config="$WORK/sdi.conf" --once <"$1"
}

at_handle() {
        tpm2_readpublic -Q -c "$handle" -f pem -o at_handle.pub
        cmp at_handle.pub "$1"
}

# squat OPTION...: with a primary of the endorsement hierarchy, as ours are
squat() {
        tpm2_createprimary -Q -C e "$@" -c squatter.ctx
        tpm2_flushcontext -t
        tpm2_evictcontrol -Q -C o -c "$handle" >/dev/null 2>&1 || :
        tpm2_evictcontrol -Q -C o -c squatter.ctx "$handle"
        tpm2_flushcontext -t
        tpm2_readpublic -Q -c "$handle" -f pem -o squatter.pub
}

# The template of tpm/key.h, but for its `unique`.
template=(-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|decrypt|sign')

# unique SLOT SIZE COORDINATES: as tpm2_createprimary takes it, which is the C struct
unique() {
        perl -e 'my ($text, $size, $n) = @ARGV; print $n == 1 ? pack("S a$size", $size, $text) : pack("S a128 S a128", $size, $text, $size, "")' \
                "RFC 8886 $1" "$2" "$3"
}

for slot in device:0x81008886 operator:0x81008887; do
        handle=${slot#*:} slot=${slot%:*}
        for type in rsa2048:rsa2048:null:256:1 rsa3072:rsa3072:null:384:1 p256:ecc256:null:32:2 p384:ecc384:null:48:2; do
                IFS=: read -r type algorithm scheme size coordinates <<<"$type"
                algorithm=$algorithm:$scheme
                rm -rf state
                tool certificate "$slot" "$type" SN1 | openssl x509 -noout -pubkey >ours.pub

                # It is there first.
                squat -G "$algorithm" "${template[@]}"
                ! cmp -s squatter.pub ours.pub || fail 'that is our own key'
                sdictl key request --slot="$slot" --type="$type" | openssl req -noout -pubkey | cmp - ours.pub
                at_handle squatter.pub
                sdictl key create --slot="$slot" --type="$type" >created
                openssl x509 -in "state/$slot.crt" -noout -pubkey | cmp - ours.pub
                at_handle ours.pub # a copy of the key is a cache
                openssl cms -encrypt -aes-256-gcm -binary -in plain -outform DER -out enc "state/$slot.crt"
                unwrap enc | cmp - plain

                # It comes later.
                squat -G "$algorithm" "${template[@]}"
                unwrap enc | cmp - plain
                sdictl key show --slot="$slot" | grep -qx 'State:       ready' || fail 'the key is not ready'
                sdictl key request --slot="$slot" | openssl req -noout -pubkey | cmp - ours.pub
                at_handle squatter.pub # that is for `key create` to mend
                sdictl key create --slot="$slot" --type="$type" | cmp - created
                at_handle ours.pub

                # Our own key, of the same name, but locked with a password: that does not stay for ever either.
                unique "$slot" "$size" "$coordinates" >unique
                squat -G "$algorithm" "${template[@]}" -u unique -p secret
                cmp squatter.pub ours.pub
                sdictl key create --slot="$slot" --type="$type" | cmp - created
                unwrap enc | cmp - plain

                # An object that cannot be ours is told of, and stays until somebody does as he is told.
                squat -G ecc
                sdictl key create --slot="$slot" --type="$type" 2>said | cmp - created
                grep -q "persistent handle $handle holds an object that is not ours" said || fail "not told: $(cat said)"
                unwrap enc | cmp - plain
                at_handle squatter.pub
                sdictl key remove --slot="$slot" --yes
                at_handle squatter.pub
                sed -n 's/.*`\(tpm2_evictcontrol .*\)`.*/\1/p' said >advice
                bash -e advice >/dev/null
                sdictl key create --slot="$slot" --type="$type" 2>said | cmp - created
                [ ! -s said ] || fail "the advice does not help: $(cat said)"
                at_handle ours.pub
                sdictl key remove --slot="$slot" --yes
                ! tpm2_readpublic -Q -c "$handle" 2>/dev/null || fail 'the key is not removed'
        done
done

# A certificate for our key that others have put into the TPM, where they can change it.
rm -rf state
tool certificate device p256 SN19842256 | openssl x509 -noout -pubkey >ours.pub
openssl x509 -new -subj /CN=SN19842256 -set_serial 666 -force_pubkey ours.pub -outform DER -out squatter.der \
        -signkey <(openssl ecparam -name prime256v1 -genkey -noout) -days 2 2>/dev/null || [ -s squatter.der ]
nv() {
        tpm2_nvdefine -Q -C o -s "$(stat -c %s squatter.der)" -a "$1" 0x01808886
        tpm2_nvwrite -Q -C o -i squatter.der 0x01808886
        sdictl key create --type=p256 >/dev/null 2>said
}
nv 'ownerread|ownerwrite|authread|authwrite|no_da'
! openssl x509 -in state/device.crt -noout -serial | grep -qx 'serial=029A' || fail "a certificate of others was adopted"
grep -q "NV index 0x01808886 is somebody else's" said || fail "not told: $(cat said)"
[ "$(loaded)" -eq 0 ] || fail 'something is left in the TPM'
