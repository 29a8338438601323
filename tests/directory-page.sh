#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The page of the directory in a real browser: a search by its form, several devices, an unknown one, a hostile one; on a screen and on a
# telephone. The pictures are left in the folder PAGES, if that is set.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

cd "$WORK"
make_factory
use_store sqlite
configure
start_directory
for i in 1 2 3; do
        make_device p256 SN$i SN$i
        enroll -T SN$i.crt $FACTORY/certificates/SN$i
        answered 201
done

# The CA of this test is trusted by this browser alone, as a person's is by his.
mkdir -p home/.pki/nssdb
certutil -N -d sql:home/.pki/nssdb --empty-password
certutil -A -d sql:home/.pki/nssdb -n ca -t C,, -i ca.crt

# $1 what to print: --dump-dom, --screenshot=FILE; $2 URL
browse() {
        HOME="$WORK/home" timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                --user-data-dir="$WORK/profile" --window-size="${size-1000,1000}" --hide-scrollbars "$1" "$2" 2>browser.said
}

# What a person sees of a list of devices, one a line.
devices() {
        tr -d '\n' <dom | sed 's|</li>|\n|g' | sed -n 's|.*<li class="\([a-z]*\)"><strong>\([^<]*\)</strong>.*|\1 \2|p'
}

# The page has no script, and its policy allows none.
browse --dump-dom $PUBLIC/ >dom
grep -q '<textarea' dom || fail "no form: $(cat dom)"
! grep -qi '<script\|javascript:\| on[a-z]*=' dom || fail "a script: $(cat dom)"
browse --dump-dom "$PUBLIC/?serials=SN1%0ASN2+SN9" >dom
[ "$(devices)" = 'yes SN1
yes SN2
no SN9' ] || fail "$(devices)"
tr -d '\n' <dom | grep -q "<code>$(fingerprint SN1.crt | sed 's/..../& /g; s/ $//')</code>" || fail 'no fingerprint'
grep -q 'All 2 as a tar file' dom || fail 'no tar file'
browse --dump-dom "$PUBLIC/?serials=%3Cscript%3Edocument.title%3D1%3C%2Fscript%3E+%22%3E%3Cimg+src%3Dx%3E+%3C%2Ftextarea%3E%3Ch1%3Ex" >dom
[ "$(grep -c '<script\|<img' dom)" -eq 0 ] || fail "what was pasted became markup: $(cat dom)"
[ "$(grep -o '<h1>' dom | wc -l)" -eq 1 ] || fail 'what was pasted became a headline'

# The form itself, filled in and sent by a person: another page stands in for his hands, its script being the only one.
cat >hands.html <<EOF
<form id=f method=post action="$PUBLIC/"><textarea name=serials>SN3, SN1
SN404</textarea></form><script>document.getElementById('f').submit()</script>
EOF
browse --dump-dom "file://${WORK// /%20}/hands.html" >dom
[ "$(devices)" = 'yes SN3
yes SN1
no SN404' ] || fail "$(devices)"

pages=${PAGES-$WORK/pages}
mkdir -p "$pages"
links="$PUBLIC/?serials=SN1%0ASN2%0ASN9%0A%3Cscript%3Ealert(1)%3C%2Fscript%3E"
browse --screenshot="$pages/empty.png" $PUBLIC/ >/dev/null
browse --screenshot="$pages/screen.png" "$links" >/dev/null
size=500,1200 browse --screenshot="$pages/telephone.png" "$links" >/dev/null
for name in empty screen telephone; do
        [ "$(stat -c %s "$pages/$name.png")" -gt 5000 ] || fail "no picture: $name"
done
