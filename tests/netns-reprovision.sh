#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A provisioned device: another configuration by hand, a key of the operator's, a factory reset, and a new owner.

. "$(dirname "$0")/device.sh"

connect port0 srv0
start_tpm
start_dnsmasq --enable-tftp --tftp-root="$TFTP"
make_key
cd "$WORK"
persistent_before=$(tpm2_getcap handles-persistent)
nv_before=$(tpm2_getcap handles-nv-index)

# encrypt TEXT CERTIFICATE...: as an operator does.
encrypt() {
        printf '%s\n' "$1" >plain
        openssl cms -encrypt -aes-256-gcm -binary -in plain -outform DER "${@:2}"
}

# refused STATUS REASON COMMAND...
refused() {
        expect_status "$1" "${@:3}" 2>said </dev/null
        grep -qF -- "$2" said || fail "\"$2\" is not in: $(cat said)"
}

loaded_is() {
        printf '%s\n' "$@" | cmp - "$LOADED"
}

record() {
        gojq -r "$1" "$STATE_DIRECTORY/provisioned"
}

encrypt first $SN.crt >"$TFTP/$SN.enc"
start_device
wait_provisioned
loaded_is first
[ "$(stat -c %a "$LOADED")" = 600 ] || fail 'what a loader writes is open to others'

# In its place, into it, from standard input, plain, and by a policy that forbids that.
encrypt second $SN.crt >second.enc
sdictl load second.enc
loaded_is second
[ "$(record .origin)" = "$WORK/second.enc" ] || fail 'origin'
[ "$(record .interface)" = null ] || fail 'interface'
echo third | sdictl load --merge -
loaded_is second third
[ "$(record '.origin, .encrypted')" = $'standard input\nfalse' ] || fail 'the record of a plain file'
load_said 'Provisioned from standard input' || fail 'the log'
sdictl load --merge --replace second.enc
loaded_is second
echo reject >bad
refused 65 'refused-by-check: loader check refused it (status 1): line 1: unknown command' sdictl load bad
loaded_is second
[ "$(record .origin)" = "$WORK/second.enc" ] || fail 'the record of what was refused'
printf '[Install]\nEncryptedOnly=yes\n' >>"$CONFIG"
refused 65 'not encrypted, and EncryptedOnly=yes is set' sdictl load bad
sdictl load --merge second.enc
loaded_is second second
sed -i '/^EncryptedOnly=/d' "$CONFIG"
refused 64 'one FILE' sdictl load --merge
refused 66 'No such file' sdictl load nothing
chmod 755 "$CONFIG" # readable
refused 77 'only root' setpriv --reuid sdi-agent --regid sdi-agent --clear-groups "$WORK/bin/sdictl" --config="$CONFIG" load /dev/null

# One at a time.
echo wait >waits
sdictl load waits >first-load 2>&1 &
wait_for 5 grep -q "check $WORK/waits" loader.calls
refused 75 'a configuration is being installed' sdictl load second.enc
refused 75 'a configuration is being installed' sdictl factory-reset --yes --no-reboot
echo >gate
wait $!
loaded_is wait

# The operator's key: the first of two to be used, and no other is lost by it.
sdictl key create --slot=operator --type=p256 >/dev/null
sdictl key certificate --slot=operator >mine.crt
fingerprint() {
        sdictl key show --slot="$1" --json | gojq -r .fingerprint
}
encrypt fourth mine.crt >mine.enc
sdictl load mine.enc
loaded_is fourth
[ "$(record .key)" = "$(fingerprint operator)" ] || fail "not with the operator's key"
encrypt fifth $SN.crt mine.crt >both.enc
sdictl load both.enc
loaded_is fifth
[ "$(record .key)" = "$(fingerprint operator)" ] || fail "the operator's key is not preferred"
sdictl load second.enc
[ "$(record .key)" = "$(fingerprint device)" ] || fail "the vendor's key is not tried"

# A factory reset: not by mistake, nor by others.
refused 64 'say --yes' sdictl factory-reset
refused 64 'unexpected argument' sdictl factory-reset --yes now
refused 77 'only root' setpriv --reuid sdi-agent --regid sdi-agent --clear-groups "$WORK/bin/sdictl" --config="$CONFIG" factory-reset --yes --no-reboot
loaded_is second

# Wherever it is interrupted, it has begun: nothing is installed until it has ended.
has_begun() {
        [ -e "$STATE_DIRECTORY/factory-reset" ] || fail 'it is not on record that it has begun'
        [ -e "$STATE_DIRECTORY/provisioned" ] || fail 'the record has gone too early'
        refused 75 'a factory reset has begun and not ended' sdictl load second.enc
}
touch reset-fails
refused 75 'loader reset refused it (status 1): no room' sdictl factory-reset --yes --no-reboot
has_begun
mv reset-fails reset-waits
start reset "$WORK/bin/sdictl" --config="$CONFIG" factory-reset --yes --no-reboot
wait_for 5 pgrep -x loader
kill -KILL "$pid_reset"
wait "$pid_reset" || :
rm reset-waits
echo >gate
has_begun
[ -e "$STATE_DIRECTORY/operator.crt" ] || fail "the operator's certificate has gone before the key"
stop_tpm
refused 75 "the operator's key cannot be removed" sdictl factory-reset --yes --no-reboot
start_tpm
chmod 666 tpm/sock*
has_begun
[ -e "$STATE_DIRECTORY/operator.crt" ] || fail "the operator's certificate has gone before the key"
sdictl factory-reset --yes --no-reboot

# Like new, but for its key.
nothing_of_the_owner() {
        [ ! -e "$LOADED" ] || fail 'the configuration is still there'
        [ "$(ls -A "$STATE_DIRECTORY")" = device.crt ] || fail "left behind: $(ls -A "$STATE_DIRECTORY")"
        [ "$(ls -A "$RUNTIME_DIRECTORY")" = "$(printf '%s\n' agent identity.json load-root.sock load.sock lock unwrap-root.sock unwrap.sock)" ] || fail "left behind: $(ls -A "$RUNTIME_DIRECTORY")"
        [ -z "$(ls -A "$RUNTIME_DIRECTORY/agent")" ] || fail "left behind: $(ls -A "$RUNTIME_DIRECTORY/agent")"
        [ "$(tpm2_getcap handles-persistent)" = "$persistent_before" ] || fail "left in the TPM: $(tpm2_getcap handles-persistent)"
        [ "$(tpm2_getcap handles-nv-index)" = "$nv_before" ] || fail "left in the TPM: $(tpm2_getcap handles-nv-index)"
        sdictl key certificate | cmp - $SN.crt
        nothing_is_left
}
nothing_of_the_owner
sdictl factory-reset --yes --no-reboot
nothing_of_the_owner
refused 65 'not encrypted for this device' sdictl load mine.enc

# A new owner, twenty of them.
for n in {1..20}; do
        encrypt "owner $n" $SN.crt >"$TFTP/$SN.enc"
        start_agent
        wait_provisioned
        loaded_is "owner $n"
        [ "$n" -gt 1 ] || find "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY" | sort >first-files
        find "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY" | sort | cmp - first-files
        grep -c 192.0.2 leases >n-leases || [ $? -eq 1 ]
        [ "$(cat n-leases)" -eq 0 ] || fail "a lease is left: $(cat leases)"
        sdictl key create --slot=operator --type=p256 >/dev/null
        sdictl factory-reset --yes --no-reboot
        nothing_of_the_owner
done
