#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever goes wrong is said once in the log and the same in the status, changes nothing, and is tried again.

. "$(dirname "$0")/device.sh"

# refused REASON: starts the agent, and expects it to wait for that reason, through several attempts.
refused() {
        local reason=$1 n

        rm -f "$WORK/agent.log"
        start_agent
        wait_for 30 reason_has "$reason"
        wait_for 5 is_shown "$reason"
        wait_for 5 agent_said "No configuration yet: "
        agent_said "$reason" || fail "not in the log: $reason"
        [ ! -e "$STATE_DIRECTORY/provisioned" ] || fail "provisioned in spite of: $reason"
        [ ! -e "$LOADED" ] || fail "loaded in spite of: $reason"
        for n in 1 2 3 4; do
                ln -f "$RUNTIME_DIRECTORY/agent/status.json" "$WORK/status.before"
                wait_for 20 status_has_changed
        done
        n=$(grep -c "No configuration yet: .*$(printf %s "$reason" | sed 's/[][\.*^$]/\\&/g')" "$WORK/agent.log")
        [ "$n" -eq 1 ] || fail "$n lines in the log: $reason"
        stop_agent
        nothing_is_left
}

is_shown() {
        sdictl status | grep -F "Reason: " | grep -F -- "$1"
}

# Written anew at least once for each attempt.
status_has_changed() {
        [ ! "$RUNTIME_DIRECTORY/agent/status.json" -ef "$WORK/status.before" ]
}

offer() {
        [ -z "${pid_dnsmasq-}" ] || stop dnsmasq
        start_dnsmasq "$@"
}

put() {
        rm -f "$TFTP"/*
        cat >"$TFTP/$SN.enc"
}

put_plain() {
        rm -f "$TFTP"/*
        printf '%s\n' "$1" >"$TFTP/$SN.cfg"
}

printf '[Install]\nMaximumSize=64M\n[Load]\nCheckTimeout=1s\n' >>"$CONFIG"
start_tpm
start_device
cd "$WORK"

# No port, no carrier, no offer, no server.
stop_agent
refused "no port of this device matches Interfaces="
connect port0 srv0
ip -n server link set srv0 down
refused "no port has a carrier"
ip -n server link set srv0 up
refused "no DHCP server has answered"
# dnsmasq names itself (siaddr) where it is told nothing; busybox does not.
printf '%s\n' "interface srv0" "start 192.0.2.10" "end 192.0.2.99" "option subnet 255.255.255.0" \
        "lease_file $WORK/udhcpd.leases" >udhcpd.conf
: >udhcpd.leases
ip -n server addr replace 192.0.2.1/24 dev srv0
start udhcpd in_server busybox udhcpd -f -a 1 udhcpd.conf
refused "the lease names no configuration server"
stop udhcpd
offer --dhcp-option=66,192.0.2.200
refused "tftp://192.0.2.200/$SN.enc: no answer from the server"
offer --dhcp-option=66,192.0.2.1
refused "tftp://192.0.2.1/$SN.enc: the server cannot be reached: Connection refused"
offer --dhcp-option=66,192.0.2.1 --enable-tftp --tftp-root="$TFTP"
refused "not found"

# A transfer that stops in the middle, and one that ends too early.
offer --dhcp-option=66,192.0.2.1 --dhcp-option=67,silence-mid-way
ip -n server addr add 192.0.2.2/24 dev srv0
start hostile in_server "$BUILD/tests/tftp-hostile" 192.0.2.1 192.0.2.2
refused "tftp://192.0.2.1/silence-mid-way: the server stopped answering after 50000 bytes"
offer --dhcp-option=66,192.0.2.1 --dhcp-option=67,block-shorter-mid-way
refused "tftp://192.0.2.1/block-shorter-mid-way: the file is shorter than was announced"

# Only where it is certain that there is no such file the next name is asked for, which may be less specific.
offer --dhcp-option=66,192.0.2.1
"$BUILD/tests/tftp-hostile" --file >"$WORK/served"
names() {
        sed -i '/^Names=/d' "$CONFIG"
        [ $# -eq 0 ] || sed -i "s/^MaximumSize=.*/&\nNames=$*/" "$CONFIG"
}
for name in error-1-mid-way-always no-access error-0-after-an-oack-and-always; do
        names "$name" options-ignored
        refused "tftp://192.0.2.1/$name: the server says: "
done
for name in not-found-by-error-0 not-found-by-error-4; do
        names "$name" options-ignored
        start_agent
        wait_provisioned
        cmp -n 100000 "$WORK/served" "$LOADED"
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED"
        stop_agent
done
names
stop hostile
offer --dhcp-option=66,192.0.2.1 --enable-tftp --tftp-root="$TFTP"

# What is there is no good.
put </dev/null
refused "tftp://192.0.2.1/$SN.enc: the file is empty"
head -c 65M /dev/zero | put
refused "larger than"
{
        printf 'reject\n'
        head -c 4096 /dev/urandom
} | put
refused "loader check refused it (status 1): line 1: unknown command"
put_plain reject
refused "loader check refused it (status 1): line 1: unknown command"
put_plain refuse-commit
refused "loader commit refused it (status 1): no room"
put_plain hang
refused "loader check took longer than 1s"
put_plain busy
refused "loader check asks to try again later: still starting"

# Encrypted: without a key, for another device, damaged, cut short.
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -subj /CN=SN1 -out other.crt 2>/dev/null
echo "hostname sw1" >"$SN.cfg"
openssl smime -encrypt -aes-256-cbc -in $SN.cfg -outform PEM other.crt | put
refused "encrypted, but this device has no key yet"
make_key
refused "encrypted for"
openssl smime -encrypt -aes-256-cbc -in $SN.cfg -outform PEM $SN.crt >$SN.enc
openssl cms -encrypt -aes-256-gcm -in $SN.cfg -outform DER -recip $SN.crt >$SN.der
{
        head -c -1 $SN.der
        tail -c 1 $SN.der | tr '\0-\377' '\1-\377\0'
} | put
refused "cannot be decrypted"
head -c 300 $SN.enc | put
refused "tftp://192.0.2.1/$SN.enc: "
openssl smime -encrypt -des3 -in $SN.cfg -outform PEM $SN.crt | put
refused "-aes-256-gcm"

# A TPM that does not answer.
put <$SN.enc
chmod 600 "$WORK"/tpm/sock*
refused "this device's key cannot be used now"
chmod 666 "$WORK"/tpm/sock*

# The programs' own configuration: told, and read again when somebody has mended it.
sed -i 's/^MaximumSize=.*/EncryptedOnly=yess/' "$CONFIG"
rm -f agent.log
start_agent
wait_for 5 reason_has "sdi.conf:15: bad value of EncryptedOnly=: \"yess\""
state_is misconfigured || fail "the state of a misconfigured agent"
agent_said "sdi.conf:15: bad value of EncryptedOnly=: \"yess\"" || fail "the log of a misconfigured agent"
sed -i 's/^EncryptedOnly=.*/EncryptedOnly=yes/' "$CONFIG"
kill -HUP "$pid_agent"
status=0
wait "$pid_agent" || status=$?
[ "$status" -eq 75 ] || fail "status $status instead of 75"
put_plain "hostname sw1"
refused "not encrypted, and EncryptedOnly=yes is set"

# And when the operator has put it right, the next attempt takes it.
start_agent
wait_for 20 reason_has "not encrypted"
put <$SN.enc
wait_provisioned
sed 's/$/\r/' $SN.cfg | cmp - "$LOADED"
nothing_is_left
