#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The vendor's directory as factories, operators and strangers see it, on the store that is named: sqlite or postgresql.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

kind=$1
cd "$WORK"
make_factory
use_store "$kind"
configure
if [ "$kind" = postgresql ]; then
        refused 78 'sdi-directory migrate' directory serve
        directory migrate
        directory migrate # again
fi
start_directory

# --- A factory sends what devices have (RFC 8886, figure 1).
make_device rsa2048 SN1 SN1
make_device p256 SN2 SN2
make_device p384 SN3 SN3
enroll -T SN1.crt $FACTORY/certificates/SN1
answered 201 'Location: /certificates/SN1.crt'
cmp answer SN1.crt
audited "accepted id=\"SN1\" kind=\"certificate\" key=\"rsa2048\" fingerprint=\"$(fingerprint SN1.crt)\" by=\"CN=station 7"
audited 'from="127.0.0.1" why="new"'
openssl x509 -in SN2.crt -outform DER -out SN2.der
enroll -T SN2.der $FACTORY/certificates/SN2
answered 201
openssl req -new -key SN3.key -subj /CN=SN3 -out SN3.csr
enroll -T SN3.csr $FACTORY/certificates/SN3
answered 201
openssl verify -CAfile authority.crt answer >verified || fail "$(cat verified)"
openssl x509 -in answer -noout -subject | grep -Eqx 'subject=CN ?= ?SN3' || fail 'the subject of a wrapped request'
[ "$(fingerprint answer)" = "$(fingerprint SN3.crt)" ] || fail 'the key of a wrapped request'
cp answer SN3.published
openssl genrsa -out SN4.key 3072 2>>openssl.log
openssl rsa -in SN4.key -pubout -out SN4.pub 2>>openssl.log
enroll -T SN4.pub $FACTORY/certificates/SN4
answered 201
openssl x509 -in answer -noout -pubkey | cmp - SN4.pub
openssl x509 -in answer -noout -ext keyUsage | grep -q 'Key Encipherment' || fail 'the usage of a wrapped key'

# The RFC's own commands, of appendix A.1: its certificate says that it is a CA's.
openssl ecparam -out poc.key -name prime256v1 -genkey
openssl req -new -key poc.key -out poc.csr -subj /CN=SN19842256
openssl req -x509 -days 36500 -key poc.key -in poc.csr -out poc.crt
enroll -T poc.crt $FACTORY/certificates/SN19842256
answered 201

# EST (RFC 7030).
enroll $FACTORY/.well-known/est/cacerts
answered 200 'application/pkcs7-mime'
base64 -d answer | openssl pkcs7 -inform DER -print_certs | openssl x509 | cmp - <(openssl x509 -in authority.crt)
openssl req -new -newkey rsa:2048 -nodes -keyout SN5.key -subj /CN=SN5 -outform DER -out SN5.csr 2>>openssl.log
base64 SN5.csr >SN5.base64
enroll -H 'Content-Type: application/pkcs10' --data-binary @SN5.base64 $FACTORY/.well-known/est/simpleenroll
answered 200 'smime-type=certs-only'
base64 -d answer | openssl pkcs7 -inform DER -print_certs | openssl x509 -noout -subject | grep -q SN5 || fail 'EST'
openssl req -new -key SN5.key -subj '/CN=a b' -out bad.csr
enroll --data-binary @bad.csr $FACTORY/.well-known/est/simpleenroll
answered 422 'its CN is not an identifier'

# The same key again is fine, and what was published stays, also when an ECDSA signature is another one. Another key is a conflict.
enroll -T SN1.crt $FACTORY/certificates/SN1
answered 200
enroll -T SN3.csr $FACTORY/certificates/SN3
answered 200
cmp answer SN3.published
openssl req -x509 -new -key SN2.key -subj /CN=SN2 -days 99 -out again.crt
enroll -T again.crt $FACTORY/certificates/SN2
answered 200
cmp answer SN2.crt
make_device p256 SN1 other
enroll -T other.crt $FACTORY/certificates/SN1
answered 409 'another key is known'
audited 'refused id="SN1" kind="certificate" key="p256"'
ask $PUBLIC/certificates/SN1.crt
cmp answer SN1.crt
as=supervisor enroll -T other.crt $FACTORY/certificates/SN1
answered 200
audited 'why="replaces another key, which is kept as history"'
ask $PUBLIC/certificates/SN1.crt
cmp answer other.crt
history() {
        case $kind in
        sqlite) sqlite3 -readonly directory.db "$1" ;;
        postgresql) as_postgres "$PG/psql" -h "$WORK/pg" -U sdi -At -c "$1" sdi ;;
        esac
}
[ "$(history "SELECT count(*) FROM history WHERE id = 'SN1' AND replaced_by LIKE '%supervisor%'")" = 1 ] || fail 'no history'
as=supervisor enroll -T SN1.crt $FACTORY/certificates/SN1
answered 200

# --- Who is not of the factory.
no() { # STATUS-OR-NOTHING TEXT CLIENT
        as=$3 enroll -T SN1.crt $FACTORY/certificates/SN1
        answered 403 "$2"
        audited "$2"
}
ask -T SN1.crt $FACTORY/certificates/SN1
answered 403 'no client certificate'
make_certificate stranger other-ca '/CN=stranger/OU=station' 'extendedKeyUsage=clientAuth'
make_certificate nobody ca '/CN=nobody/OU=packing' 'extendedKeyUsage=clientAuth'
make_certificate web ca '/CN=web/OU=station' 'extendedKeyUsage=serverAuth'
openssl req -new -key station.key -subj '/CN=late/OU=station' | openssl x509 -req -CA ca.crt -CAkey ca.key -set_serial 77 "${expired[@]}" \
        -extfile <(echo extendedKeyUsage=clientAuth) -out late.crt 2>>openssl.log
cp station.key late.key
no 403 'none of the roles' nobody
no 403 'not for TLS clients' web
no 403 'has expired' late
no 403 "not of the factory's CA" stranger
# Without a body being taken, and the public side takes nothing from anybody.
enroll -T SN1.crt $PUBLIC/certificates/SN1.crt
answered 405 'Allow: GET, HEAD'

# --- What a policy refuses, and what is malformed.
refuses() { # STATUS TEXT FILE [IDENTIFIER]
        enroll -T "$3" "$FACTORY/certificates/${4-SN8}"
        answered "$1" "$2"
}
refuses 422 'it names /CN=SN1, not SN8' SN1.crt
openssl genrsa -out weak.key 1024 2>>openssl.log
openssl req -x509 -new -key weak.key -subj /CN=SN8 -out weak.crt
refuses 422 'does not allow a key of type rsa1024' weak.crt
openssl genrsa -3 -out weak.key 2048 2>>openssl.log || openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out weak.key 2>>openssl.log
openssl rsa -in weak.key -pubout -out weak.pub 2>>openssl.log
refuses 422 'its exponent is below 65537' weak.pub
openssl genpkey -algorithm ed25519 -out ed.key
openssl req -x509 -new -key ed.key -subj /CN=SN8 -out ed.crt
refuses 422 'does not allow a key of type ED25519' ed.crt
openssl req -x509 -new -key poc.key -subj /CN=SN8 -addext keyUsage=digitalSignature -out sign.crt
refuses 422 'may only sign' sign.crt
openssl req -x509 -new -key poc.key -subj /CN=SN8 -addext extendedKeyUsage=codeSigning -out usage.crt
refuses 422 'the extended key usage codeSigning' usage.crt
openssl req -x509 -new -key poc.key -subj /CN=SN8 -addext certificatePolicies=1.2.3 -out extension.crt
refuses 422 'the extension certificatePolicies' extension.crt
openssl x509 -new -subj /CN=SN8 -force_pubkey SN4.pub -key ed.key -out foreign.crt
refuses 422 'not signed by its own key' foreign.crt
openssl x509 -in sign.crt -outform DER -out cut.der
truncate -s -1 cut.der
refuses 400 'neither' cut.der
{ openssl x509 -in SN2.crt -outform DER; echo; } >long.der
refuses 400 'neither' long.der SN2
cat SN1.crt SN2.crt >two.crt
refuses 400 'more than one PEM block' two.crt
refuses 400 'no certificate, request or public key' SN1.key
head -c 3000 /dev/urandom >garbage
refuses 400 'neither' garbage
: >empty
refuses 400 'neither' empty
head -c 40000 /dev/zero >large
refuses 413 'too large' large
enroll -T large -H 'Transfer-Encoding: chunked' $FACTORY/certificates/SN8
answered 413 'too large'
sed 's/^MII/MIJ/' SN1.csr 2>/dev/null >broken.csr || sed 's/^MII/MIJ/' SN3.csr >broken.csr
refuses 400 '' broken.csr
for id in ../SN8 '%2e%2e%2fSN8' 'SN%008' 'a%20b' .SN8 "$(head -c 10000 /dev/zero | tr '\0' x)" SN8/x; do
        enroll --path-as-is -T SN1.crt "$FACTORY/certificates/$id"
        case $(status) in
        404 | 413 | 414 | 431) ;;
        *) fail "answered $(status) for the identifier ${id:0:20}" ;;
        esac
done
enroll -X DELETE $FACTORY/certificates/SN1
answered 405
ask $PUBLIC/certificates/SN8.crt
answered 404

# Another policy.
stop_directory
configure "[Policy]
Identifier=SN[0-9]{4}
KeyTypes=p256
Accept=certificate
Extensions=subjectKeyIdentifier authorityKeyIdentifier keyUsage basicConstraints 1.2.3.4
ExtendedKeyUsages=clientAuth
Issuers=$WORK/other-ca.crt
MinimumLifetime=36500d"
start_directory
openssl req -x509 -new -key poc.key -subj /CN=SN1000 -days 40000 -addext extendedKeyUsage=clientAuth -addext 1.2.3.4=ASN1:NULL -out good.crt
refuses 201 '' good.crt SN1000
openssl req -x509 -new -key poc.key -subj /CN=SN1001 -days 30000 -out short.crt
refuses 422 'expires earlier' short.crt SN1001
refuses 422 'does not allow the identifier SN19842256' poc.crt SN19842256
refuses 422 'does not allow a request' SN3.csr SN3000
openssl req -x509 -new -key SN1.key -subj /CN=SN1002 -days 40000 -out rsa.crt
refuses 422 'does not allow a key of type rsa2048' rsa.crt SN1002
make_certificate made other-ca /CN=SN1003 keyUsage=keyAgreement
openssl req -new -key made.key -subj /CN=SN1003 | openssl x509 -req -CA other-ca.crt -CAkey other-ca.key -set_serial 9 -days 40000 -out made.crt 2>>openssl.log
refuses 201 '' made.crt SN1003
stop_directory
configure '[Factory]
Networks=192.0.2.0/24 2001:db8::/32'
start_directory
enroll -T SN1.crt $FACTORY/certificates/SN1
answered 000
audited "why=\"the address is none of the factory's\""
stop_directory
configure
sed -i /Authority/,+2d directory.conf
start_directory
refuses 501 'no [Authority]' SN4.pub SN9
for line in 'Keytypes=p256' 'KeyTypes=p255' 'Identifier=SN(' '[Nonsense' 'Networks=192.0.2.0/33'; do
        { echo '[Policy]'; [ "${line#Net}" = "$line" ] || echo '[Factory]'; echo "$line"; } | cat directory.conf - >bad.conf
        refused 78 'bad.conf:' "$BUILD/directory/sdi-directory" --config="$WORK/bad.conf"
done
refused 78 'no socket' directory

# --- What everybody gets (RFC 8886, figure 2): as the RFC prints it, as DER, as JSON; tags, heads, no more than that.
ask $PUBLIC/certificates/SN2.crt
answered 200 'Cache-Control: public, max-age=3600'
cmp answer SN2.crt
etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/ip' head)
ask -H "If-None-Match: $etag" $PUBLIC/certificates/SN2.crt
answered 304 "$etag"
ask $PUBLIC/certificates/SN2.cer
cmp answer SN2.der
ask $PUBLIC/certificates/SN2.json
[ "$(gojq -r '.identifier + " " + .fingerprint' answer)" = "SN2 $(fingerprint SN2.crt)" ] || fail "$(cat answer)"
gojq -e '.not_before, .not_after, .published | test("^20[0-9]{2}-[0-9]{2}-[0-9]{2}T")' answer >/dev/null || fail "$(cat answer)"
ask -I $PUBLIC/certificates/SN2.crt
answered 200 "Content-Length: $(stat -c %s SN2.crt)"
ask $PUBLIC/certificates/SN7.crt
answered 404 'max-age=60'
for path in certificates/SN2 certificates/SN2.key certificates/../certificates/SN2.crt certificates/%53N2.crt certificates/ certificates \
        'certificates/SN2.crt%00' .well-known/est/cacerts certificates/sn2.crt certificates/SN2.crt/; do
        ask --path-as-is "$PUBLIC/$path"
        answered 404
done
ask $PUBLIC/healthz
answered 200 ok
ask $PUBLIC/metrics
answered 200 'sdi_directory_lookups_total{result="found"}'
ask -H "X-Long: $(head -c 60000 /dev/zero | tr '\0' x)" $PUBLIC/certificates/SN2.crt
case $(status) in # the answer may be lost: the server does not read all that is sent
4* | 000) ;;
*) fail "answered $(status) to a head of 60 KB" ;;
esac

# --- The page, as a browser without JavaScript sends it.
ask --data-urlencode 'serials=SN2 SN3
 SN7, <script>alert(1)</script>;../../etc/passwd' $PUBLIC/
answered 200 "Content-Security-Policy: default-src 'none'"
[ "$(grep -c '^<li class="yes">' answer)" -eq 2 ] || fail 'two devices are known'
[ "$(grep -c 'is not known here' answer)" -eq 1 ] || fail 'one is not'
[ "$(grep -c 'cannot be a serial number' answer)" -eq 2 ] || fail 'two cannot be'
! grep -q '<script' answer || fail 'what was pasted became markup'
ask "$PUBLIC/?serials=SN2+SN3"
[ "$(grep -c '^<li class="yes">' answer)" -eq 2 ] || fail 'a link to the page'
ask -d 'serials=SN2%20SN3%20SN7' $PUBLIC/certificates.tar
answered 200 application/x-tar
[ "$(tar tf answer | tr '\n' ' ')" = 'SN2.crt SN3.crt ' ] || fail "$(tar tvf answer)"
tar xOf answer SN2.crt | cmp - SN2.crt
ask -d 'serials=%zz' $PUBLIC/
answered 400
head -c 1000000 /dev/zero >larger
for ((i = 0; i < 20; i++)); do # the answer comes after what was sent, and is not lost
        ask --data-binary @larger $PUBLIC/
        answered 413
done

# --- A tree of files, and back.
directory export tree >output
n=$(find tree/certificates -name '*.crt' | wc -l)
[ "$(cat output)" = "$n written, 0 were there already, 0 refused" ] || fail "$(cat output)"
cmp tree/certificates/SN2.crt SN2.crt
directory export tree | grep -qx "0 written, $n were there already, 0 refused" || fail 'written again'
expect_status 65 directory import tree >output 2>said # wrapped ones are signed by the authority, which this policy does not have
grep -q 'SN3.crt: it is not signed by its own key' said || fail "$(cat said)"
cp other.crt tree/certificates/SN1.crt
expect_status 65 directory import tree >output 2>said
grep -q 'SN1.crt: another key is known' said || fail "$(cat said)"
mkfifo tree/certificates/SN99.crt
touch "$(printf 'tree/certificates/\033[2J.crt')"
expect_status 65 timeout 60 "$BUILD/directory/sdi-directory" --config="$WORK/directory.conf" import tree >output 2>said
grep -qxF 'sdi-directory: SN99.crt: not a regular file' said || fail "$(cat said)"
grep -qxF 'sdi-directory: \x1b[2J.crt: its name is not an identifier of a device' said || fail "$(cat said)"
rm tree/certificates/{SN99,*J}.crt
mkdir empty-store
cat authority.crt other-ca.crt >issuers.crt
cp poc.crt tree/certificates/SN1.crt # of another name
cat - >new.conf <<EOF
[Store]
URL=sqlite:$WORK/empty-store/db
[Policy]
Issuers=$WORK/issuers.crt
Extensions=subjectKeyIdentifier authorityKeyIdentifier keyUsage basicConstraints 1.2.3.4
ExtendedKeyUsages=clientAuth
EOF
expect_status 65 "$BUILD/directory/sdi-directory" --config="$WORK/new.conf" import tree >output 2>said
[ "$(cat output)" = "$((n - 1)) imported, 0 were there already, 1 refused" ] || fail "$(cat output said)"
"$BUILD/directory/sdi-directory" --config="$WORK/new.conf" export copy >output
rm tree/certificates/SN1.crt
diff -r tree copy

# --- Serial numbers cannot be counted.
stop_directory
configure '[Public]
MissesPerMinute=60
MissBurst=20'
start_directory
cat >probe.conf <<EOF
url = "$PUBLIC/certificates/XX[1-60].crt"
cacert = "$WORK/ca.crt"
silent
output = "/dev/null"
write-out = "%{http_code}\n"
EOF
curl -K probe.conf >codes
n=$(grep -c 404 codes)
[ "$n" -ge 20 ] && [ "$n" -le 30 ] && [ "$(grep -c 429 codes)" -eq $((60 - n)) ] || fail "60 questions about unknown devices: $(sort codes | uniq -c)"
ask $PUBLIC/certificates/SN2.crt
answered 429 'Retry-After: '
enroll -T SN1.crt $FACTORY/certificates/SN1 # the factory's side has no such limit
answered 200
stop_directory
