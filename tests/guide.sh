#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Follows GUIDE.md command by command: what is printed there is what runs here. Only systemd is played, and the machine's names.

. "$(dirname "$0")/tpm.sh"

cd "$WORK"
for folder in /etc/sdi /var/lib/sdi /var/lib/sdi-directory /srv/tftp /usr/libexec/sdi; do
        [ -d "$folder" ] || mkdir -p "$folder" 2>/dev/null || mount -t tmpfs tmpfs "${folder%/*}"
        mkdir -p "$folder"
        mount -t tmpfs -o mode=755 tmpfs "$folder"
done
cp /etc/group group
echo 'sdi-directory:x:64003:' >>group
mount --bind group /etc/group
cp /etc/hosts hosts
echo '127.0.0.1 keys.vendor.example factory.vendor.example' >>hosts
mount --bind hosts /etc/hosts
start_tpm
echo SN19842256 >serial
cat >/etc/sdi/sdi.conf <<EOF
[Identity]
Source=file
File=$WORK/serial
[Key]
TCTI=$TCTI
EOF
printf 'hostname sw1\n' >SN19842256.cfg
mkdir bin
ln -s "$BUILD/agent/sdi-enroll" "$BUILD/agent/sdictl" "$BUILD/operator/sdi-wrap" bin/
cp "$BUILD/agent/sdi-unwrap" /usr/libexec/sdi/
export PATH="$WORK/bin:$PATH" HOME="$WORK"

systemctl() {
        [ "$*" = 'enable --now sdi-directory-public.socket sdi-directory-factory.socket' ] || fail "systemctl $*"
        start directory systemd-socket-activate -l 127.0.0.1:443 -l 127.0.0.1:8443 --fdname=public:factory \
                "$BUILD/directory/sdi-directory"
        wait_for 5 sh -c 'ss -tln | grep -q :8443'
}

sed -n '/^```sh$/,/^```$/p' "$TESTS/../GUIDE.md" | sed 's/^```.*//' >commands
[ "$(grep -c . commands)" -gt 40 ] || fail 'the guide has hardly any commands'
set -x
. ./commands >output
set +x
grep -q '^State:       ready' output || fail "no key: $(cat output)"
[ "$(grep -c '^Device:     takes it' output)" -eq 2 ] || fail "$(cat output)"
[ "$(tail -n 1 output)" = 'hostname sw1' ] || fail 'the switch does not decrypt its configuration'
[ "$(stat -c '%a %U' /run/sdi /run/sdi/factory /run/sdi/factory/* | sort | uniq -c | awk '{ print $1, $2, $3 }')" = $'3 600 root\n1 700 root\n1 755 root' ] ||
        fail "the factory's key is open to others: $(ls -lR /run/sdi)"
grep -q 'audit: accepted id="SN19842256"' directory.log || fail 'no audit line'
