#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The loader for FRR, with a real FRR: what it accepts, that FRR runs it, that what FRR does not accept is undone and never shown,
# and that a loader killed at any step is made good by the next call.
. "$(dirname "$0")/netns.sh"
. "$TESTS/loader.sh"

LOADER=("$TESTS/../conf/loaders/frr")

# An FRR of this test's own: its folders hide the machine's.
for folder in /etc/frr /var/log /var/tmp; do
        mount -t tmpfs -o mode=755 tmpfs "$folder"
done
install -d -o frr -g frr /run/frr /var/log/frr
echo 'bgpd=yes' >/etc/frr/daemons
echo 'service integrated-vtysh-config' >/etc/frr/vtysh.conf
echo 'ip route 198.51.100.0/24 blackhole' >/etc/frr/frr.conf
chown -R frr:frr /etc/frr
/usr/lib/frr/frrinit.sh start >/dev/null

# A file of configuration lines.
config() {
        local file=$WORK/$1

        shift
        printf '%s\n' "$@" >"$file"
}

neighbor=(' neighbor 192.0.2.1 remote-as 65002' ' neighbor 192.0.2.1 password sesame')
config one 'router bgp 65001' "${neighbor[@]}" '!' 'ip route 203.0.113.0/24 blackhole'
config more 'ip route 203.0.113.128/25 blackhole' 'end'
{ cat "$WORK/one"; cat "$WORK/more"; } >"$WORK/merged"
config two 'router bgp 65009' "${neighbor[@]}"
config garbled 'router bgp 65001' ' neighbor 192.0.2.1 pasword sesame' '!' 'sesame'
config unacceptable 'router bgp 65001' "${neighbor[@]}" ' neighbor 192.0.2.9 peer-group sesame'
config elsewhere '!' 'router ospf' ' ospf router-id 192.0.2.2'
config word 'router bgp 65001' 'router hunter2sesame' 'router sesame'
config empty
config comment '! sesame'
head -c 1000 /dev/urandom >"$WORK/binary"

files() {
        (cd /etc/frr && sha256sum ./* && ls -la --time-style=full-iso)
}

running() {
        vtysh -c 'show running-config'
}

said() {
        grep -qF "$1" "$WORK/said" || fail "not said: $1, but: $(cat "$WORK/said")"
}

runs_router() {
        [ "$(running | grep '^router bgp')" = "$(head -n 1 "$WORK/$1")" ]
}

# runs NAME: that file is FRR's configuration, and the daemons have it.
runs() {
        cmp "$WORK/$1" /etc/frr/frr.conf || fail "frr.conf is not $1"
        [ "$(stat -c '%a %U:%G' /etc/frr/frr.conf)" = '640 frr:frr' ] || fail 'frr.conf is open to others'
        runs_router "$1" || fail "FRR does not run $1"
        [ "$(running | grep -c sesame)" -eq 1 ] || fail "FRR runs another password"
        ! ls /etc/frr/frr.conf.sdi-{new,old} /run/frr/reload-* 2>/dev/null || fail 'left behind'
}

# The word that stands for a secret is nowhere but in frr.conf.
not_leaked() {
        ! grep -q sesame "$WORK/said" || fail "a secret was shown: $(cat "$WORK/said")"
        ! grep -rl --exclude=frr.conf sesame /etc/frr /var/log /var/tmp /run/frr || fail 'a secret was left on a disk'
}

test_check() {
        local before bad

        before=$(files)$(running)
        load 0 "$WORK/one" check
        for bad in garbled elsewhere word empty comment binary; do
                load 1 "$WORK/$bad" check
                not_leaked
        done
        [ "$(files)$(running)" = "$before" ] || fail 'check changed something'

        load 1 "$WORK/garbled" check
        [ "$(cat "$WORK/said")" = "$(printf 'line %s\n' '2: Unknown command' '4: Unknown command' \
                '2: Unknown command, the first of 2 such lines')" ] || fail "said: $(cat "$WORK/said")"
        load 1 "$WORK/elsewhere" check
        said 'line 2: needs ospfd, which is not enabled'
        load 1 "$WORK/word" check
        said '2: Unknown command, the first of 2 such lines'
        load 1 "$WORK/comment" check
        said 'no command in the file'
}

test_commit() {
        load 0 "$WORK/one" commit
        runs one
        load 0 "$WORK/unacceptable" check
        load 1 "$WORK/unacceptable" commit
        said 'line 4: not accepted by bgpd; FRR runs the previous configuration again'
        runs one
        not_leaked
        load 0 "$WORK/two" commit
        runs two
        not_leaked
}

# What is added is behind what is there; FRR is given the whole without a restart, and gets the old back if it does not accept it.
test_merge() {
        local pid MODE=merge

        MODE=replace load 0 "$WORK/one" commit
        pid=$(cat /run/frr/zebra.pid)
        load 1 "$WORK/garbled" check
        said '2: Unknown command, the first of 2 such lines'
        load 0 "$WORK/more" check
        runs one
        load 0 "$WORK/more" commit
        [ "$(cat /run/frr/zebra.pid)" = "$pid" ] || fail 'FRR was restarted'
        runs merged
        running | grep -qx 'ip route 203.0.113.128/25 blackhole' || fail 'FRR does not run what was added'
        load 1 "$WORK/unacceptable" commit
        said 'line 4: not accepted by bgpd; FRR runs the previous configuration again'
        runs merged
        MODE=other load 1 "$WORK/more" check
        not_leaked
        MODE=replace load 0 "$WORK/two" commit
        runs two
}

# A daemon that a configuration brings down objects to nothing any more.
test_crash() {
        local status=0

        mkdir -p "$WORK/crashing"
        printf '%s\n' '#!/bin/sh' '[ "$1" != -b ] || kill -KILL "$(cat /run/frr/bgpd.pid)"' 'exec /usr/bin/vtysh "$@"' \
                >"$WORK/crashing/vtysh"
        chmod +x "$WORK/crashing/vtysh"
        call_loader "$WORK/crashing:$PATH" "$WORK/one" commit || status=$?
        [ "$status" -eq 1 ] || fail "accepted although bgpd has crashed: $status, $(cat "$WORK/said")"
        said 'bgpd has stopped; FRR runs the previous configuration again'
        wait_for 60 runs_router two
        runs two
}

test_killed() {
        local n=1

        echo sesame >/run/frr/reload-A1B2C3.txt # what frr-reload.py leaves when it is killed
        while killed "$n" "$WORK/one" commit; do
                load 0 "$WORK/one" check
                if cmp -s "$WORK/one" /etc/frr/frr.conf; then
                        runs one
                        load 0 "$WORK/two" commit
                fi
                runs two
                n=$((n + 1))
        done
        [ "$n" -gt 10 ] || fail 'was not killed often enough to mean anything'
        runs one
}

test_reset() {
        load 0 "$WORK/empty" reset
        running | grep -qx 'ip route 198.51.100.0/24 blackhole' || fail 'FRR does not run what it came with'
        ! running | grep sesame || fail 'FRR still has the secret'
        [ "$(ls /etc/frr)" = "$(printf '%s\n' daemons frr.conf vtysh.conf)" ] || fail "left behind: $(ls /etc/frr)"
        load 0 "$WORK/empty" reset
}

# FRR that runs nothing yet is given its first configuration without a restart.
test_first() {
        local pid

        : >/etc/frr/frr.conf
        /usr/lib/frr/frrinit.sh restart >/dev/null
        pid=$(cat /run/frr/zebra.pid)
        load 0 "$WORK/one" commit
        runs one
        [ "$(cat /run/frr/zebra.pid)" = "$pid" ] || fail 'FRR was restarted'
        load 0 "$WORK/empty" reset
        ! running | grep -E '^(router|ip route)' || fail 'FRR still runs its first configuration'
        load 1 "$WORK/unacceptable" commit
        said 'line 4: not accepted by bgpd; FRR runs the previous configuration again'
        ! running | grep -E '^(router|ip route)' || fail 'FRR runs a part of what was refused'
        cmp /etc/frr/frr.conf /dev/null || fail 'frr.conf is not what it was'
        not_leaked
}

# Without systemd the loader itself starts FRR's daemons.
test_contract() {
        keeps_contract --good="$WORK/one" --good2="$WORK/two" --bad="$WORK/garbled" --moments=4 --watch=/etc/frr \
                --state="vtysh -c 'show running-config'" --secret=sesame --daemon=watchfrr --daemon=zebra --daemon=mgmtd --daemon=staticd --daemon=bgpd
        ! grep -rl sesame /var/log /var/tmp /run/frr || fail 'a secret was left on a disk'
}

test_check
for how in reload restart; do
        [ $how = reload ] || mount --bind /dev/null /usr/lib/frr/frr-reload.py # as if it were not installed
        test_commit
        test_merge
        test_crash
        test_killed
        test_reset
        test_first
        echo 'ip route 198.51.100.0/24 blackhole' >/etc/frr/frr.conf
        /usr/lib/frr/frrinit.sh restart >/dev/null
        [ $how = restart ] || test_contract
done
/usr/lib/frr/frrinit.sh stop >/dev/null

mv /etc/frr/daemons /etc/frr/none
load 75 "$WORK/one" check
