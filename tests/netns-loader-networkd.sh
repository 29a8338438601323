#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The loader for systemd-networkd, with a real one: what it accepts, that networkd runs it, and that it keeps the contract.
. "$(dirname "$0")/netns.sh"
. "$TESTS/loader.sh"

LOADER=("$TESTS/../conf/loaders/networkd")
etc=/etc/systemd/network

# A networkd of this test's own. That /sys cannot be written tells it not to wait for udev.
mount -t tmpfs -o mode=755 tmpfs /etc/systemd
mount --bind -o ro /sys /sys
mkdir -p "$etc" /run/dbus /run/systemd
printf '%s\n' '[Match]' 'Name=port0' '[Network]' 'LinkLocalAddressing=no' 'Address=198.51.100.1/24' >$etc/50-factory.network
ln -s /dev/null $etc/99-default.link
connect port0 port0
start dbus dbus-daemon --system --nofork --nopidfile
wait_for 10 test -S /run/dbus/system_bus_socket
start networkd /lib/systemd/systemd-networkd
wait_for 10 networkctl list port0

# has ADDRESS: port0 has this one, and no other one.
has() {
        [ "$(ip -4 -o addr show dev port0 | awk '{ print $4 }')" = "$1" ]
}
wait_for 10 has 198.51.100.1/24

config() {
        local file=$WORK/$1

        shift
        printf '%s\n' "$@" >"$file"
}

match=('# of my own' '' "# $etc/10-port.network" '[Match]' 'Name=port0' '' '[Network]' 'LinkLocalAddressing=no')
bridge=("# $etc/20-bridge.netdev" '; with a secret' '[NetDev]' 'Name=bridge0' 'Kind=bridge')
secret=c2VzYW1lLXNlc2FtZS1zZXNhbWUtc2VzYW1lLXNlc2E=
config one "${match[@]}" 'Address=192.0.2.1/24' "${bridge[@]}" "Description=$secret"
config two "${match[@]}" 'Address=192.0.2.2/24' "# $etc/20-port.link" '[Match]' 'OriginalName=nosuch' '[Link]' 'Description=a \' ' b'
sed 's/$/\r/' "$WORK/two" >"$WORK/crlf"
config added "# $etc/20-bridge.netdev" '[NetDev]' 'Name=bridge0' 'Kind=bridge' "# $etc/50-factory.network"
config key "${match[@]}" 'Pasword=sesame-sesame'
config section "${match[@]}" '[Sesame]' 'A=sesame-sesame'
config value "${match[@]}" 'Address=sesame-sesame'
config kind "# $etc/20-bridge.netdev" '[NetDev]' 'Name=sesame' 'Kind=sesame-sesame'
config whole "# $etc/20-bridge.netdev" '[NetDev]' 'Kind=bridge'
config form "${match[@]}" 'sesame-sesame'
config outside "# $etc/../../passwd.network" '[Match]' 'Name=sesame'
config hidden "# $etc/.network" '[Match]' 'Name=sesame'
config twice "${match[@]}" "${match[@]}"
config early '[Match]' 'Name=sesame'
config empty
head -c 1000 /dev/urandom >"$WORK/binary"

files() {
        ls -lAR --time-style=+ /etc/systemd
        cat $etc/*.net*
}

# says NAME TEXT: that file is refused with this reason.
says() {
        load 1 "$WORK/$1" check
        [ "$(tail -n 1 "$WORK/said")" = "$2" ] || fail "said of $1: $(cat "$WORK/said")"
}

test_check() {
        local before name

        before=$(files)$(ip addr)
        for name in one two crlf added; do
                load 0 "$WORK/$name" check
                [ ! -s "$WORK/said" ] || fail "said of $name: $(cat "$WORK/said")"
        done
        says key 'line 9: unknown key in this section'
        says section 'line 9: unknown section'
        says value 'line 9: systemd-networkd would ignore this value'
        says kind 'line 1: systemd-networkd would ignore this file, the first of 2 such lines'
        says whole 'line 1: systemd-networkd would ignore this file'
        says form 'line 9: neither a [Section] nor, in one, Key=value'
        says outside 'line 1: not the name of a .network, .netdev or .link file in /etc/systemd/network, the first of 3 such lines'
        says hidden 'line 1: not the name of a .network, .netdev or .link file in /etc/systemd/network, the first of 3 such lines'
        says twice 'line 11: this file has begun once before'
        says early 'line 1: before the first line "# /etc/systemd/network/NAME", the first of 2 such lines'
        says empty 'line 1: the end, and no line "# /etc/systemd/network/NAME"'
        load 1 "$WORK/binary" check
        load 1 "$WORK/value" commit
        [ "$(files)$(ip addr)" = "$before" ] || fail 'check changed something'
}

test_commit() {
        load 0 "$WORK/one" commit
        wait_for 10 has 192.0.2.1/24
        wait_for 10 ip link show bridge0
        [ "$(ls $etc)" = "$(printf '%s\n' 10-port.network 20-bridge.netdev)" ] || fail "other files: $(ls $etc)"
        [ "$(stat -Lc '%a %U:%G' $etc/20-bridge.netdev)" = '640 root:systemd-network' ] || fail 'the secret is open to others'
        load 0 "$WORK/crlf" commit
        wait_for 10 has 192.0.2.2/24
        ! grep -r $'\r' /etc/systemd || fail 'CR LF in a file'
        ! grep -r "$secret" /etc/systemd || fail 'the previous secret is still there'
        ip link del bridge0 # networkd does not
}

test_merge() {
        MODE=merge load 0 "$WORK/added" check
        MODE=merge load 1 "$WORK/value" check
        MODE=merge load 0 "$WORK/added" commit
        [ "$(ls $etc)" = "$(printf '%s\n' 10-port.network 20-bridge.netdev 20-port.link 50-factory.network)" ] ||
                fail "other files: $(ls $etc)"
        wait_for 10 has 192.0.2.2/24
        wait_for 10 ip link show bridge0
        ip link del bridge0
}

test_reset() {
        load 0 "$WORK/empty" reset
        wait_for 10 has 198.51.100.1/24
        [ "$(readlink $etc/99-default.link)" = /dev/null ] || fail 'not what it was'
        [ "$(ls /etc/systemd)" = network ] || fail "left behind: $(ls /etc/systemd)"
        load 0 "$WORK/empty" reset
}

# networkd that cannot be told anything
test_stopped() {
        local before

        before=$(files)
        stop networkd
        load 75 "$WORK/one" commit
        start networkd /lib/systemd/systemd-networkd
        wait_for 10 networkctl list port0
        load 0 "$WORK/one" check
        [ "$(files)" = "$before" ] || fail "not put right: $(files)"
}

test_killed() {
        local n=1

        load 0 "$WORK/two" commit
        while killed $n "$WORK/one" commit; do
                load 0 "$WORK/one" check
                if [ -e $etc/20-bridge.netdev ]; then
                        wait_for 10 has 192.0.2.1/24
                        load 0 "$WORK/two" commit
                fi
                wait_for 10 has 192.0.2.2/24
                n=$((n + 1))
        done
        [ $n -gt 10 ] || fail 'was not killed often enough to mean anything'
        load 0 "$WORK/empty" reset
}

test_check
test_commit
test_merge
test_reset
test_stopped
test_killed

# What networkd does comes a moment after `networkctl reload`: until its address is that of the files.
cat >"$WORK/state" <<'E2'
for i in $(seq 200); do
        address=$(ip -4 -o addr show dev port0 | awk '{ print $4 }')
        [ "$address" != "$(sed -n 's/^Address=//p' /etc/systemd/network/*.network)" ] || break
        sleep 0.02
done
echo "$address"
E2
keeps_contract --good="$WORK/one" --good2="$WORK/two" --bad="$WORK/value" --watch=$etc --state="sh '$WORK/state'" \
        --secret="$secret" --secret=sesame
