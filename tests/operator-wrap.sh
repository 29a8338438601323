#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sdi-wrap with a directory that is any HTTPS server with certificates on it (nginx), and without one: what devices, openssl,
# BouncyCastle and gpgsm make of its files; pins; a thousand at once; and everything that can go wrong.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"

JARS=/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar
URL=https://keys.vendor.example:8443
export HOME="$WORK/home"
mkdir "$HOME"
cd "$WORK"

wrap() {
        "$BUILD/operator/sdi-wrap" "$@"
}

inspect() {
        wrap --inspect "$@" >inspected || fail "it is said to be refused: $(cat inspected)"
}

# --- A directory of static files.
cp /etc/hosts hosts
echo '127.0.0.1 keys.vendor.example other.example' >>hosts
mount --bind hosts /etc/hosts
make_ca ca
make_certificate server ca /CN=keys.vendor.example 'subjectAltName=DNS:keys.vendor.example'
mkdir -p www/certificates
cat >nginx.conf <<EOF
daemon off;
worker_processes 1;
error_log stderr;
pid "$WORK/nginx.pid";
events {}
http {
        access_log off;
        client_body_temp_path "$WORK/tmp";
        proxy_temp_path "$WORK/tmp";
        fastcgi_temp_path "$WORK/tmp";
        uwsgi_temp_path "$WORK/tmp";
        scgi_temp_path "$WORK/tmp";
        server {
                listen 8443 ssl;
                listen 8080;
                ssl_certificate "$WORK/server.crt";
                ssl_certificate_key "$WORK/server.key";
                root "$WORK/www";
                location /moved/ { return 302 $URL/certificates/SN1.crt; }
                location /down/ { return 302 http://keys.vendor.example:8080/certificates/SN1.crt; }
        }
}
EOF
chmod 711 "$WORK"
start nginx nginx -c "$WORK/nginx.conf"
wait_for 5 curl -s --cacert ca.crt $URL
publish() {
        cp "$1" "www/certificates/$2"
}

# --- For the device, with a key of each kind in its TPM.
start_tpm
n=0
for type in rsa2048 rsa3072 p256 p384; do
        n=$((n + 1))
        tool certificate device $type SN$n >SN$n.crt
        publish SN$n.crt SN$n.crt
        seq 1000 >SN$n.cfg
        wrap --directory=$URL --ca=ca.crt SN$n.cfg 2>said
        said "SN$n: first use of the key $(fingerprint SN$n.crt | sed 's/..../& /g; s/ $//')"
        tool decrypt device $type @SN$n.crt <SN$n.enc | cmp SN$n.cfg -
        inspect --certificate=SN$n.crt SN$n.enc
        inspect SN$n.enc
        grep -q '^Content:    AES-256-GCM, authenticated$' inspected || fail "$(cat inspected)"
done
wrap --directory=$URL --ca=ca.crt --compatible --output=old.enc SN1.cfg
tool decrypt device rsa2048 @SN1.crt <old.enc | cmp SN1.cfg -
head -n 1 old.enc | grep -qx -- '-----BEGIN PKCS7-----' || fail 'openssl smime writes PKCS7'
inspect old.enc
grep -q '^Key:        RSA, PKCS #1 v1.5$' inspected || fail "$(cat inspected)"
refused 65 'leave out --compatible' wrap --directory=$URL --ca=ca.crt --compatible --output=no.enc SN3.cfg
expect_status 65 wrap --inspect --certificate=SN2.crt SN1.enc >output
grep -q 'refuses it: not encrypted for this device' output || fail "$(cat output)"
[ ! -e no.enc ] || fail 'something was written'

# Somebody has been in the folder before: nothing is written through the links and pipes that are left there.
echo precious >victim
ln victim hard.enc.new
ln -s victim soft.enc.new
mkfifo pipe.enc.new
for left in hard soft pipe; do
        wrap --directory=$URL --ca=ca.crt --output=$left.enc SN1.cfg
        tool decrypt device rsa2048 @SN1.crt <$left.enc | cmp SN1.cfg -
done
[ "$(cat victim)" = precious ] || fail 'a file of somebody else was written to'
[ "$(loaded)" -eq 0 ] || fail 'something is left in the TPM'

# --- For the other programs that can decrypt, keys in files.
mkdir classes gnupg
chmod 700 gnupg
javac -d classes -cp "$JARS" "$TESTS/interop/Decrypt.java"
for type in rsa2048 rsa3072 p256 p384; do
        make_device $type SN9 $type
        options=('')
        [ "${type#rsa}" = $type ] || options+=(--compatible)
        for option in "${options[@]}"; do
                rm -f "$HOME/.config/sdi/known-devices"
                wrap --certificate=$type.crt $option --device=SN9 --output=$type.enc SN1.cfg 2>/dev/null
                openssl cms -decrypt -inform PEM -in $type.enc -inkey $type.key -recip $type.crt -binary | cmp SN1.cfg -
                [ "${type#rsa}" != $type ] || continue # BouncyCastle 1.72 cannot
                openssl pkcs8 -topk8 -nocrypt -in $type.key -outform DER -out key.der
                java -cp "$JARS:classes" Decrypt key.der $type.enc | cmp SN1.cfg -
        done
        # The last was the compatible one: gpgsm 2.2 knows neither OAEP nor this ECDH.
        [ "${type#rsa}" = $type ] && continue
        openssl smime -decrypt -inform PEM -in $type.enc -inkey $type.key -recip $type.crt -binary | cmp SN1.cfg -
        export GNUPGHOME="$WORK/gnupg"
        for _ in 1 2 3; do # once in a while gpgsm 2.2 cannot read one
                openssl pkcs12 -export -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -inkey $type.key -in $type.crt -passout pass:x -out $type.p12
                ! gpgsm --batch --pinentry-mode loopback --passphrase-fd 0 --import $type.p12 <<<x 2>gpgsm.log || break
        done
        gpgsm --batch --pinentry-mode loopback --passphrase-fd 0 --decrypt $type.enc <<<x 2>>gpgsm.log | cmp SN1.cfg -
done
gpgconf --kill all

# --- Pins: what was seen once has to stay, and is not asked about twice.
known="$HOME/.config/sdi/known-devices"
rm -f "$known"
wrap --directory=$URL --ca=ca.crt SN1.cfg 2>/dev/null
[ "$(cat "$known")" = "SN1 $(fingerprint SN1.crt)" ] || fail "not recorded: $(cat "$known")"
[ "$(stat -c %a "$known")" = 600 ] || fail 'everybody can write the known devices'
wrap --directory=$URL --ca=ca.crt SN1.cfg 2>said
[ ! -s said ] || fail "said of a known key: $(cat said)"
cp SN1.enc before.enc
make_device p256 SN1 changed
publish changed.crt SN1.crt
refused 77 'THE KEY IS NOT THE ONE THAT IS PINNED' wrap --directory=$URL --ca=ca.crt SN1.cfg
said 'line 1 of the known devices'
cmp SN1.enc before.enc # nothing has been encrypted to it
[ "$(wc -l <"$known")" -eq 1 ] || fail 'the changed key was recorded'
refused 77 '(--pin=)' wrap --directory=$URL --ca=ca.crt --pin="$(fingerprint SN1.crt)" SN1.cfg
wrap --directory=$URL --ca=ca.crt --pin="$(fingerprint changed.crt | sed 's/../&:/g')" SN1.cfg
openssl cms -decrypt -inform PEM -in SN1.enc -inkey changed.key -binary | cmp SN1.cfg -
refused 64 'not a fingerprint' wrap --directory=$URL --pin=abc SN1.cfg
echo 'SN1 not-a-fingerprint' >bad-known
refused 78 'bad-known:1: not an identifier and a fingerprint' wrap --directory=$URL --ca=ca.crt --known-devices=bad-known SN1.cfg
publish SN1.crt SN1.crt

# --- A transport that proves who is at its other end, or a pin.
refused 69 'certificate' wrap --directory=$URL SN1.cfg # of an unknown CA
refused 69 'certificate' wrap --directory=https://other.example:8443 --ca=ca.crt SN1.cfg
refused 64 'anybody on the way' wrap --directory=http://keys.vendor.example:8080 SN1.cfg
wrap --directory=http://keys.vendor.example:8080 --pin="$(fingerprint SN1.crt)" SN1.cfg
wrap --directory=$URL/moved/%s --ca=ca.crt SN1.cfg
refused 69 'sdi-wrap: SN1: ' wrap --directory=$URL/down/%s --ca=ca.crt SN1.cfg # not from https to http
refused 64 'has to begin with https://' wrap --directory=ftp://keys.vendor.example SN1.cfg
refused 64 'either' wrap SN1.cfg
wrap --directory="file://${WORK// /%20}/www/" SN1.cfg

# --- Odd certificates.
cp SN1.cfg SN5.cfg
publish SN2.crt SN5.crt
refused 65 'the certificate is not of this device, but of /CN=SN2' wrap --directory=$URL --ca=ca.crt SN5.cfg
openssl req -x509 -new -key p256.key -subj /CN=SN5 -days 1 -out www/certificates/SN5.crt -addext keyUsage=digitalSignature
refused 65 'its key may only sign' wrap --directory=$URL --ca=ca.crt SN5.cfg
rm -f "$known"
openssl genrsa -out weak.key 1024 2>/dev/null
openssl req -x509 -new -key weak.key -subj /CN=SN5 -out www/certificates/SN5.crt
refused 65 'its RSA key of 1024 bits is too weak' wrap --directory=$URL --ca=ca.crt SN5.cfg
rm -f "$known"
openssl ecparam -name secp521r1 -genkey -noout -out curve.key
openssl req -x509 -new -key curve.key -subj /CN=SN5 -out www/certificates/SN5.crt
refused 65 'on the curve secp521r1' wrap --directory=$URL --ca=ca.crt SN5.cfg
rm -f "$known"
openssl genpkey -algorithm ed25519 -out ed.key
openssl req -x509 -new -key ed.key -subj /CN=SN5 -out www/certificates/SN5.crt
refused 65 'neither RSA nor EC' wrap --directory=$URL --ca=ca.crt SN5.cfg
rm -f "$known"
# An IDevID has the serial number in the attribute of that name; dates do not count, but are told.
openssl x509 -new -key p256.key -subj /O=Vendor/serialNumber=SN5 "${expired[@]}" -out www/certificates/SN5.crt
wrap --directory=$URL --ca=ca.crt SN5.cfg 2>said
said 'the certificate has expired, which is ignored'
openssl cms -decrypt -inform PEM -in SN5.enc -inkey p256.key -binary | cmp SN5.cfg -
echo nonsense >www/certificates/SN5.crt
refused 65 'what the directory sent is not a certificate' wrap --directory=$URL --ca=ca.crt SN5.cfg
head -c 500 SN1.crt >www/certificates/SN5.crt
refused 65 'what the directory sent is not a certificate' wrap --directory=$URL --ca=ca.crt SN5.cfg
head -c 20000 /dev/zero >www/certificates/SN5.crt
refused 65 'too large' wrap --directory=$URL --ca=ca.crt SN5.cfg
rm www/certificates/SN5.crt
refused 69 'does not know this device' wrap --directory=$URL --ca=ca.crt SN5.cfg
openssl x509 -in p256.crt -outform DER -out www/certificates/SN9.cer
cp SN1.cfg SN9.cfg
wrap --directory=$URL/certificates/%s.cer --ca=ca.crt SN9.cfg 2>/dev/null # DER

# --- A server that is not there, or sends half.
refused 69 'connect to server' wrap --directory=https://keys.vendor.example:1 --ca=ca.crt SN1.cfg
printf 'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\nhalf' >half
cat server.crt server.key >server.pem
start half socat "OPENSSL-LISTEN:8444,cert=$WORK/server.pem,verify=0,fork,reuseaddr" 'SYSTEM:cat half'
wait_for 5 sh -c 'ss -tln | grep -q :8444'
refused 69 'sdi-wrap: SN1: ' wrap --directory=https://keys.vendor.example:8444 --ca=ca.crt SN1.cfg
cmp SN1.cfg <(tool decrypt device rsa2048 @SN1.crt <SN1.enc) # the file of before

# --- Input and output that will not do.
refused 66 'nothing.cfg' wrap --directory=$URL --ca=ca.crt --device=SN1 nothing.cfg
: >empty.cfg
refused 65 'the configuration is empty' wrap --directory=$URL --ca=ca.crt --device=SN1 --output=empty.enc empty.cfg
refused 64 'not an identifier of a device' wrap --directory=$URL --ca=ca.crt 'a b.cfg'
refused 64 'no configuration' wrap --directory=$URL
refused 66 'no file in it ends in .cfg' wrap --directory=$URL gnupg
refused 66 'nothing.crt' wrap --certificate=nothing.crt SN1.cfg
mkdir full
mount -t tmpfs -o size=64k full full
head -c 100000 /dev/urandom | base64 >large.cfg
echo before >full/SN1.enc
refused 73 'No space left on device' wrap --directory=$URL --ca=ca.crt --device=SN1 --output=full/SN1.enc large.cfg
[ "$(cat full/SN1.enc)" = before ] && [ "$(ls full)" = SN1.enc ] || fail 'a full disk has left something half-written'
umount full
head -c 12000000 /dev/urandom | base64 >large.cfg # larger than the memory that a person may lock
(ulimit -l 64 && wrap --directory=$URL --ca=ca.crt --device=SN1 --output=large.enc large.cfg)
tool decrypt device rsa2048 @SN1.crt <large.enc | cmp large.cfg -

# --- A thousand at once, from a folder, with a device in between that nobody knows and one whose key has changed.
mkdir configurations
for i in {1000..1999}; do
        echo "hostname sw$i" >configurations/SN$i.cfg
done
"$BUILD/tests/make-devices" www/certificates SN 1000 1000
rm www/certificates/SN1500.crt
echo "SN1700 $(fingerprint changed.crt)" >"$known"
expect_status 69 wrap --directory=$URL --ca=ca.crt configurations >output 2>said
[ "$(cat output)" = '998 encrypted, 998 keys seen for the first time, 2 failed' ] || fail "$(cat output)"
said 'SN1500: the directory does not know this device'
said 'SN1700: THE KEY IS NOT THE ONE THAT IS PINNED'
[ "$(find configurations -name '*.enc' | wc -l)" -eq 998 ] || fail 'not all are there'
[ -z "$(find configurations -name '*.new')" ] || fail 'something half-written is left'
openssl cms -decrypt -inform PEM -in configurations/SN1000.enc -inkey www/SN.key -binary | cmp configurations/SN1000.cfg -
for i in 1001 1499 1999; do
        inspect --certificate=www/certificates/SN$i.crt configurations/SN$i.enc
done

# Interrupted, and resumed: only what is missing, changed or cut is done again.
sed -i /SN1700/d "$known"
rm configurations/SN12*.enc
truncate -s 300 configurations/SN1300.enc
: >configurations/SN1301.enc
touch configurations/SN1302.cfg
expect_status 69 wrap --directory=$URL --ca=ca.crt --resume configurations >output 2>said
[ "$(cat output)" = '104 encrypted, 895 were there already, 1 keys seen for the first time, 1 failed' ] || fail "$(cat output)"

# Killed in the middle, again and again, it leaves whole files only.
for i in 1 2 3 4 5; do
        rm -f configurations/*.enc
        start killed "$BUILD/operator/sdi-wrap" --directory=$URL --ca=ca.crt configurations
        wait_for 10 sh -c "[ \$(find configurations -name '*.enc' | wc -l) -ge $((i * 100)) ]"
        kill -KILL "$pid_killed"
        wait "$pid_killed" || :
        inspect configurations/*.enc
done
wait_for 10 sh -c '! pgrep -x sdi-wrap'
expect_status 69 wrap --directory=$URL --ca=ca.crt --resume configurations >output 2>said
[ "$(find configurations -name '*.enc' | wc -l)" -eq 999 ] || fail 'not all are there after a kill'

# From a list, into a folder; two for one file are none.
printf '# some\n%s\n%s\r\n' configurations/SN1001.cfg "$WORK/configurations/SN1002.cfg" >list
mkdir into
wrap --directory=$URL --ca=ca.crt --folder=into --list=list >output
[ "$(ls into | tr '\n' ' ')" = 'SN1001.enc SN1002.enc ' ] || fail "$(ls into)"
wrap --directory=$URL --ca=ca.crt --folder=into --list=- <list >output
echo configurations/SN1001.conf >>list
refused 64 'two configurations would become this one file' wrap --directory=$URL --ca=ca.crt --folder=into --list=list
refused 64 ':5: ../..: its name is not an identifier' wrap --directory=$URL --list=<(cat list; echo '../..')

# On a terminal there is a bar.
script -qec "'$BUILD/operator/sdi-wrap' --directory=$URL --ca=ca.crt configurations" /dev/null >terminal 2>&1 || :
grep -q '\[####' terminal || fail 'no progress on a terminal'
