#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: lintian has no objection; installed on a machine they change nothing and start nothing, until they are enabled;
# purged, they leave nothing but their users.
set -euo pipefail

tests=$(cd "$(dirname "$0")" && pwd)
if [ -z "${SDI_NAMESPACE-}" ]; then
        SDI_NAMESPACE=1 exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private -- "$0"
fi

debs=$("$tests/debs")
work=$(mktemp -d)
cd "$work"
mkdir upper work machine
trap 'umount -R machine; cd /; rm -rf "$work"' EXIT

fail() {
        printf 'FAILED: %s\n' "$*" >&2
        exit 1
}

version=$(sed -n "s/^ *version : '\([0-9.]*\)',$/\1/p" "$tests/../meson.build")
[ -e "$debs/sdi-loaders_${version}_all.deb" ] || fail "debian/changelog does not have the version of meson.build, $version"
lintian --allow-root --fail-on=error,warning,info,pedantic --display-info --pedantic --tag-display-limit=0 "$debs"/*.changes

# The machine: the box's own tree, with what is written to it in a layer of its own. Its /run and /proc are a machine's.
mount -t overlay -o "lowerdir=$tests/../.cache/roots/$SDI_BOX,upperdir=upper,workdir=work" machine machine
mount -t tmpfs run machine/run
mount -t proc proc machine/proc

# changes: each file that is not as it was, but for the users, and what dpkg, man and systemd know of all packages.
changes() {
        { find upper ! -type d -printf './%P\n'; find machine/run -mindepth 1 -printf './run/%P\n'; } |
                grep -vE '^\./etc/(passwd|group|shadow|gshadow)-?$|^\./etc/\.pwd\.lock$' |
                grep -vE '^\./var/(lib/dpkg|log/dpkg\.log$|cache/man|lib/systemd/catalog)' | sort
}

dpkg() {
        command dpkg --root=machine "$@" >dpkg.log 2>&1 || { cat dpkg.log; fail "dpkg $*"; }
}

# files: what belongs to our packages, where it is once links of the tree are followed, as /lib.
files() {
        command dpkg --root=machine --listfiles sdi-agent sdi-directory sdi-enroll sdi-loaders sdi-wrap |
                sed -n 's|^/lib/|/usr/lib/|; /^\//s/^/./p' | sort -u
}

[ -z "$(changes)" ] || fail "the machine is not as it was before: $(changes)"
dpkg --install "$debs"/*.deb
[ "$(changes | grep -c /sdi)" -gt 20 ] || fail 'nothing has been installed'
# What is to be enabled, as deb-systemd-helper remembers it; and what tmpfiles.d makes.
comm -23 <(changes) <(files) | grep -v '^\./var/lib/systemd/deb-systemd-helper-enabled/sdi-.*\.dsh-also$' >others
printf '%s\n' ./run/sdi ./run/sdi/agent ./run/sdi/lock ./run/sdi/sdi.conf.d | diff - others || fail 'something has changed that is not of the packages'
for unit in machine/usr/lib/systemd/system/sdi-*; do
        state=$(systemctl --root=machine is-enabled "${unit##*/}" || :)
        case $state in
        disabled | static) ;;
        *) fail "${unit##*/} is $state" ;;
        esac
done

units=(machine/usr/lib/systemd/system/sdi-*.{service,socket})
chroot machine systemd-analyze verify --man=no "${units[@]#machine}" >verify.log 2>&1 && [ ! -s verify.log ] ||
        fail "systemd does not like a unit: $(cat verify.log)"
rm -r machine/run/systemd # of systemd-analyze

# Enabled by the vendor, disabled by nobody; and what the programs leave.
systemctl --quiet --root=machine enable sdi-agent.service sdi-key.service sdi-enroll.service sdi-directory-public.socket
echo x | tee machine/var/lib/sdi/{device.crt,provisioned} machine/run/sdi/agent/status.json >/dev/null
mkdir -p machine/var/lib/sdi-directory
echo x >machine/var/lib/sdi-directory/directory.db
dpkg --install "$debs"/*.deb
[ "$(systemctl --root=machine is-enabled sdi-agent.service sdi-unwrap.socket sdi-enroll.service | sort -u)" = enabled ] ||
        fail 'installed again, the units are not enabled any more'
dpkg --remove sdi-agent sdi-directory sdi-enroll sdi-loaders sdi-wrap
[ -e machine/var/lib/sdi/provisioned ] || fail 'a removed package has taken its state with it'
dpkg --purge sdi-agent sdi-directory sdi-enroll sdi-loaders sdi-wrap
# The keys of the devices that have been sold: nothing else knows them.
[ "$(changes)" = ./var/lib/sdi-directory/directory.db ] || fail "something is left: $(changes)"
for folder in machine/{etc/sdi,run/sdi,usr/lib/sdi,usr/libexec/sdi,var/lib/sdi}; do
        [ ! -e "$folder" ] || fail "left: $folder"
done
