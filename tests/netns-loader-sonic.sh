#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The loader for SONiC: what it accepts, that SONiC runs it, that what SONiC does not take is undone and never shown, and that it keeps the
# contract. SONiC cannot be had here: tests/sonic stands in for it.
. "$(dirname "$0")/netns.sh"
. "$TESTS/loader.sh"

LOADER=("$TESTS/../conf/loaders/sonic")
conf=/etc/sonic/config_db.json

PATH=/usr/local/bin:$PATH # as sdi-load sets it
cp -r "$TESTS/sonic" "$WORK/sonic"
mount --bind "$WORK/sonic" /usr/local/bin
mkdir -p "$WORK/etc" /etc/sonic /run/sonic
mount --bind "$WORK/etc" /etc/sonic

# config NAME JSON: the metadata and these tables.
config() {
        gojq -n "{DEVICE_METADATA: {localhost: {hwsku: \"Test-1\", hostname: \"$1\"}}} + $2" >"$WORK/$1"
}

tacacs='TACPLUS: {global: {passkey: "sesame-sesame"}}'
config factory '{PORT: {Ethernet0: {mtu: "9100"}}}'
config one "{$tacacs, PORT: {Ethernet0: {mtu: \"1500\", lanes: [\"1\", \"2\"]}}, LOOPBACK_INTERFACE: {Loopback0: {}}}"
config two '{BGP_NEIGHBOR: {"192.0.2.1": {asn: "65001"}}, PORT: {Ethernet4: {mtu: "9000"}}}'
config invalid "{$tacacs, PORT: {Ethernet0: {mtu: \"sesame-sesame\"}}}"
config unknown '{SESAME: {"sesame-sesame": {a: "b"}}}'
config unacceptable "{$tacacs, BGP_NEIGHBOR: {\"192.0.2.1\": {asn: \"0\", password: \"sesame-sesame\"}}}"
config number '{PORT: {Ethernet0: {mtu: "9100"}, Ethernet4: {lanes: ["1"], mtu: 9100}}}'
config entry '{PORT: {Ethernet0: "sesame"}}'
config table '{PORT: "sesame"}'
echo '{"PORT": {"Ethernet4": {"mtu": "9000"}}, "TACPLUS": {"global": {"passkey": "sesame-sesame"}}}' >"$WORK/added"
printf '%s\n' '{' '"PORT": {"sesame" sesame}}' >"$WORK/garbled"
echo '["sesame"]' >"$WORK/list"
cat "$WORK/one" "$WORK/two" >"$WORK/several"
: >"$WORK/empty"

install -m 640 "$WORK/factory" $conf
cp $conf /run/sonic/database.json

# Everything that is sent to syslog.
[ ! -e /dev/log ] || fail '/dev/log is there'
start syslog socat -u UNIX-RECVFROM:/dev/log,fork,unlink-close "OPEN:$WORK/syslog,creat,append"
wait_for 5 test -S /dev/log

files() {
        ls -lA --time-style=+ /etc/sonic
        cat /etc/sonic/* /run/sonic/database.json
}

# runs NAME: SONiC runs this, and will after a boot.
runs() {
        local hardware='{DEVICE_METADATA: {localhost: {platform: "x86_64-test", mac: "02:00:00:00:00:01"}}}' file

        [ "$1" != factory ] || hardware='{}'
        for file in $conf /run/sonic/database.json; do
                gojq -e --slurpfile wanted "$WORK/$1" "$hardware * \$wanted[0] == ." "$file" >/dev/null ||
                        fail "SONiC does not run $1, by $file"
        done
        [ "$(stat -c %a $conf)" = 640 ] || fail 'config_db.json is open to others'
        ! ls $conf.sdi-{new,old,running} 2>/dev/null || fail 'left behind'
}

not_leaked() {
        ! grep sesame "$WORK/said" "$WORK/syslog" 2>/dev/null || fail 'a secret was shown'
}

says() {
        load 1 "$WORK/$1" check
        not_leaked
        [ "$(cat "$WORK/said")" = "$2" ] || fail "said of $1: $(cat "$WORK/said")"
}

test_check() {
        local before

        before=$(files)
        load 0 "$WORK/one" check
        load 0 "$WORK/two" check
        says number 'table 2, entry 2, field 2 is neither a string nor a list of strings'
        says entry 'table 2, entry 1 is no object of fields'
        says table 'table 2 is no object of entries'
        says added 'DEVICE_METADATA|localhost has no hwsku'
        says garbled 'it is no JSON: line 2, column 25'
        says list 'it is no object of tables'
        says several 'it is not one JSON object'
        says empty 'it is not one JSON object'
        if [ ! -e /run/sonic/old ]; then
                says invalid 'config replace --dry-run refuses it'
                says unknown 'config replace --dry-run refuses it'
        fi
        [ "$(files)" = "$before" ] || fail 'check changed something'
}

test_commit() {
        load 0 "$WORK/one" commit
        runs one
        load 0 "$WORK/unacceptable" check
        load 1 "$WORK/unacceptable" commit
        grep -q 'runs the previous configuration again' "$WORK/said" || fail "said: $(cat "$WORK/said")"
        runs one
        load 0 "$WORK/two" commit
        runs two
        not_leaked
}

# What somebody has configured and not saved survives a commit that is undone.
test_unsaved() {
        gojq '.PORT.Ethernet4.mtu = "8000"' $conf >/run/sonic/database.json
        load 1 "$WORK/unacceptable" commit
        [ "$(gojq -r .PORT.Ethernet4.mtu /run/sonic/database.json)" = 8000 ] || fail 'what was not saved is gone'
}

test_merge() {
        load 0 "$WORK/one" commit
        MODE=merge load 1 "$WORK/garbled" check
        MODE=merge load 0 "$WORK/added" commit
        gojq -s '.[0] * .[1]' "$WORK/one" "$WORK/added" >"$WORK/merged"
        runs merged
}

test_killed() {
        local n=1

        load 0 "$WORK/two" commit
        while killed $n "$WORK/one" commit; do
                load 0 "$WORK/one" check
                if [ "$(gojq -r .DEVICE_METADATA.localhost.hostname $conf)" = one ]; then
                        runs one
                        load 0 "$WORK/two" commit
                fi
                runs two
                n=$((n + 1))
        done
        [ $n -gt 10 ] || fail 'was not killed often enough to mean anything'
}

test_reset() {
        load 0 "$WORK/empty" reset
        runs factory
        [ "$(ls /etc/sonic)" = config_db.json ] || fail "left behind: $(ls /etc/sonic)"
        load 0 "$WORK/empty" reset
}

for release in new old; do
        [ $release = new ] || : >/run/sonic/old
        test_check
        test_commit
        test_unsaved
        test_merge
        [ $release = old ] || test_killed
        test_reset
        bad=invalid
        [ $release = new ] || bad=number
        keeps_contract --good="$WORK/one" --good2="$WORK/two" --bad="$WORK/$bad" --moments=4 --watch=/etc/sonic \
                --state='gojq . /run/sonic/database.json' --secret=sesame
        not_leaked
done

# SONiC that still starts, and SONiC without its database.
: >/run/sonic/starting
load 75 "$WORK/one" commit
runs factory
rm /run/sonic/database.json
load 75 "$WORK/one" check
