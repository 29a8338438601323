#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device provisions itself: RFC 8886, section 4.3, with the operator's files as his tools write them.

. "$(dirname "$0")/device.sh"

provision() {
        rm -f "$STATE_DIRECTORY/provisioned" "$LOADED" "$WORK/loader.calls"
        start_agent
        wait_provisioned
        cmp "$1" "$LOADED" || fail "another configuration was loaded"
        rm -f "$TFTP"/*
}

connect port0 srv0
start_tpm
start_dnsmasq --enable-tftp --tftp-root="$TFTP"
make_key
printf 'hostname sw1\nradius secret s3cr3t\n' >"$WORK/$SN.cfg"
cd "$WORK"

# The RFC's own command, Appendix A.2.2. Without -binary, openssl ends the lines as mail does, with CR and LF.
openssl smime -encrypt -aes-256-cbc -in $SN.cfg -out $SN.enc -outform PEM $SN.crt
cp $SN.enc "$TFTP/$SN.enc"
start_device
wait_provisioned
sed 's/$/\r/' $SN.cfg | cmp - "$LOADED"
nothing_is_left
printf 'check tftp://192.0.2.1/%s.enc 1 port0\ncommit tftp://192.0.2.1/%s.enc 1 port0\n' $SN $SN | cmp - loader.calls
ip link show port0 | grep -q 'UP,LOWER_UP' || fail "the link was taken down"
grep -q "DHCPRELEASE" dnsmasq.log || fail "the lease was not released"

# What is on record.
record() {
        gojq -r "$1" "$STATE_DIRECTORY/provisioned"
}
[ "$(record .origin)" = "tftp://192.0.2.1/$SN.enc" ] || fail "origin"
[ "$(record .interface)" = port0 ] || fail "interface"
[ "$(record .encrypted)" = true ] || fail "encrypted"
[ "$(record .sha256)" = "$(sha256sum <$SN.enc | cut -d' ' -f1)" ] || fail "sha256"
[ "$(record .key)" = "$(openssl x509 -in $SN.crt -noout -pubkey | openssl pkey -pubin -outform DER |
        sha256sum | cut -d' ' -f1)" ] || fail "key"
sdictl status | grep -q "^From: *tftp://192.0.2.1/$SN.enc on port0" || fail "status"
agent_said "Fetched tftp://192.0.2.1/$SN.enc" || fail "the agent's log"
unwrap_said "decrypted (AES-256-CBC)" || fail "sdi-unwrap's log"
load_said "Provisioned from tftp://192.0.2.1/$SN.enc" || fail "sdi-load's log"
grep -q s3cr3t ./*.log && fail "a secret is in a log"

# Provisioned is provisioned.
start_agent
wait_for 5 agent_has_ended
agent_said "provisioned already" || fail "a provisioned device was not left alone"

# Other forms and algorithms, other names, and no encryption at all.
openssl cms -encrypt -aes-256-gcm -recip $SN.crt -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 \
        -in $SN.cfg -binary -outform DER -out "$TFTP/$SN.cfg"
rm "$TFTP/$SN.enc"
provision $SN.cfg
openssl cms -encrypt -aes-128-cbc -keyid -recip $SN.crt -in $SN.cfg -binary -out "$TFTP/$SN.enc"
provision $SN.cfg
mac=$(ip -o link show port0 | sed 's/.*ether \([^ ]*\).*/\1/; s/:/-/g')
cp $SN.cfg "$TFTP/$mac.cfg"
provision $SN.cfg
[ "$(record .encrypted)" = false ] || fail "not encrypted, but on record as such"
nothing_is_left
