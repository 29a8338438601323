#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device with a TPM enrols itself: with a certificate, a request and a raw key; again and again; with a directory that is not there yet, that
# refuses, or that publishes something else. Then an operator's file for what is published is installed on it (RFC 8886, figures 1 and 2).
# The directory's store is the one that is named: sqlite or postgresql.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

cd "$WORK"
start_tpm
make_factory
use_store "$1"
configure
directory migrate
export RUNTIME_DIRECTORY="$WORK/run" STATE_DIRECTORY="$WORK/state" HOME="$WORK/home"
mkdir run home
echo 'hostname sw1' >plain

# device SERIAL TYPE SEND: its sdi.conf
device() {
        rm -rf state
        echo "$1" >serial
        cat >sdi.conf <<EOF
[Identity]
Source=file
File=$WORK/serial
[Key]
TCTI=$TCTI
Type=$2
[Enroll]
Directory=$FACTORY
ClientCertificate=$WORK/station.crt
ClientKey=$WORK/station.key
CACertificate=$WORK/ca.crt
Send=$3
EOF
}

enroll_device() {
        "$BUILD/agent/sdi-enroll" --config="$WORK/sdi.conf" "$@"
}

sdictl() {
        "$BUILD/agent/sdictl" --config="$WORK/sdi.conf" "$@"
}

# Figure 2: fetched, encrypted, and decrypted by the device.
installs() {
        cp plain "$1.cfg"
        "$BUILD/operator/sdi-wrap" --directory=$PUBLIC --ca=ca.crt "$1.cfg" 2>wrap.said
        "$BUILD/agent/sdi-unwrap" --config="$WORK/sdi.conf" --once <"$1.enc" | cmp - plain
}

# --- Before there is a directory: it tries until there is one.
device SN1 p256 certificate
start enrolling "$BUILD/agent/sdi-enroll" --config="$WORK/sdi.conf"
wait_for 10 grep -q 'trying again until it works' enrolling.log
start_directory
wait "$pid_enrolling" || fail "sdi-enroll ended with status $?"
gojq -e '.identifier == "SN1" and (.time | test("Z$"))' state/enrolled >/dev/null || fail 'not recorded'
audited "accepted id=\"SN1\" kind=\"certificate\" key=\"p256\" fingerprint=\"$(gojq -r .fingerprint state/enrolled)\""
installs SN1
tpm2_getcap handles-persistent | grep -q 0x81008886 || fail 'the key was not made'

# Done once. Again, when somebody wants it; and after all of the device's memory is gone, as an ECDSA signature is new each time.
n=$(wc -l <directory.log)
enroll_device 2>said
grep -q 'Enrolled already' said
[ "$(wc -l <directory.log)" -eq "$n" ] || fail 'the directory was asked again'
rm state/enrolled
enroll_device
audited 'why="known already, with the same key"'
cp state/device.crt first.crt
tpm2_clear -Q
rm -r state
enroll_device
cmp state/device.crt first.crt # what is published, not what was made anew
installs SN1
cmp <(sdictl key certificate) first.crt
sdictl key create >/dev/null
cmp state/device.crt first.crt

# --- A request, and a raw key: the directory's authority makes the certificate, and the device answers to it.
device SN2 rsa2048 request
enroll_device
audited 'accepted id="SN2" kind="request" key="rsa2048"'
openssl verify -CAfile authority.crt state/device.crt >/dev/null || fail "the device's certificate is not the published one"
installs SN2
device SN3 p384 key
enroll_device --print >printed
openssl pkey -pubin -in printed -noout
[ ! -e state/enrolled ] || fail '--print has sent something'
enroll_device
audited 'accepted id="SN3" kind="key" key="p384"'
openssl x509 -in state/device.crt -noout -pubkey | cmp - printed
installs SN3

# --- By hand, in a factory without a network.
device SN4 p256 certificate
enroll_device --print >SN4.crt
cmp SN4.crt state/device.crt
enroll -T SN4.crt $FACTORY/certificates/SN4
answered 201
installs SN4
device SN5 p256 request
enroll_device --print | openssl req -verify -noout 2>/dev/null

# --- Refusals.
device SN1 rsa2048 certificate # another TPM would be this device, too
refused 77 'answers 409: another key is known' enroll_device
[ ! -e state/enrolled ] || fail 'recorded after a refusal'
device SN6 p256 certificate
make_certificate nobody ca '/CN=nobody/OU=packing' 'extendedKeyUsage=clientAuth'
sed -i "s|/station\.|/nobody.|" sdi.conf
refused 77 'answers 403: the client certificate has none of the roles' enroll_device
sed -i "s|^ClientKey=.*|ClientKey=$WORK/nothing|" sdi.conf
refused 77 'certificate' enroll_device
sed -i 's|^Directory=.*|Directory=http://factory.vendor.example|' sdi.conf
refused 78 'bad value of Directory=' enroll_device
sed -i 's|^Directory=.*|Directory=|' sdi.conf
refused 0 'nothing to do' enroll_device
: >serial
refused 69 'no serial number' enroll_device

# A directory that publishes somebody else's key, or none.
device SN7 p256 certificate
make_device p256 SN7 SN7
sed -i 's|^Directory=.*|Directory=https://factory.vendor.example:9444|' sdi.conf
liar() { # FILE
        { printf 'HTTP/1.1 201 Created\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' "$(stat -c %s "$1")"; cat "$1"; } >answer.http
        cat server.crt server.key >server.pem
        start liar socat "OPENSSL-LISTEN:9444,cert=$WORK/server.pem,verify=0,fork,reuseaddr" 'SYSTEM:cat answer.http; read x'
        wait_for 5 sh -c 'ss -tln | grep -q :9444'
}
liar SN7.crt
refused 76 'has published another key' enroll_device
cmp <(sdictl key certificate) state/device.crt
stop liar
echo nonsense >nonsense
liar nonsense
refused 76 'not a certificate' enroll_device
stop liar
[ ! -e state/enrolled ] || fail 'recorded after a lie'

# Another name on the directory's own certificate is nobody to send to.
sed -i 's|^Directory=.*|Directory=https://127.0.0.1:9443|' sdi.conf
start enrolling "$BUILD/agent/sdi-enroll" --config="$WORK/sdi.conf"
wait_for 10 grep -q 'trying again until it works' enrolling.log
stop enrolling

# A directory that takes the connection and says nothing: SIGTERM ends the program within the attempt.
start silent socat -u TCP-LISTEN:9445,reuseaddr OPEN:/dev/null
wait_for 5 sh -c 'ss -tln | grep -q :9445'
sed -i 's|^Directory=.*|Directory=https://factory.vendor.example:9445|' sdi.conf
start enrolling "$BUILD/agent/sdi-enroll" --config="$WORK/sdi.conf"
wait_for 10 sh -c 'ss -tn state established | grep -q ":9445 "'
stop enrolling
! grep -q 'trying again' enrolling.log || fail 'SIGTERM has waited for the end of the attempt'
[ "$(loaded)" -eq 0 ] || fail 'something is left in the TPM'
