#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files that a broken-into sdi-agent can make where root looks: sdictl says what it has found, waits for nobody, shows a
# terminal nothing but text, and resets the device all the same. And settings: a link to /dev/null masks them, and they are
# refused where somebody other than root could make them.

. "$(dirname "$0")/netns.sh"

cd "$WORK"
chmod 711 "$WORK"
export RUNTIME_DIRECTORY="$WORK/run" STATE_DIRECTORY="$WORK/state"
agent=64001
install -d -m 755 run state
install -d -m 755 -o $agent -g $agent run/agent
status=$WORK/run/agent/status.json
printf '[Key]\nTCTI=device:/dev/none\n[Load]\nLoader=/usr/bin/true\n' >sdi.conf

sdictl() {
        timeout 10 "$BUILD/agent/sdictl" --config="$WORK/sdi.conf" "$@"
}

as_agent() {
        setpriv --reuid $agent --regid $agent --clear-groups "$@"
}

# says TEXT COMMAND...: it ends by itself, not well, and TEXT is in what it says.
says() {
        local ended=0

        "${@:2}" >output 2>said || ended=$?
        [ $ended -ne 0 ] && [ $ended -ne 124 ] || fail "ended with $ended: ${*:2}"
        grep -qF -- "$1" said || fail "\"$1\" is not in: $(cat said)"
        [ ! -s output ] || fail "output after an error: $(cat output)"
}

# Nothing of the reset is left to be done.
resets() {
        install -m 644 /dev/null state/provisioned
        sdictl factory-reset --yes --no-reboot 2>said || fail "not reset: $(cat said)"
        [ -z "$(ls -A state)" ] || fail "left behind: $(ls -A state)"
}

# hostile TEXT COMMAND...: the agent makes this of its status.
hostile() {
        as_agent rm -rf run/agent/status.json
        (cd run/agent && "${@:2}")
        says "$status: $1" sdictl status
        says "$status: $1" sdictl status --json
        resets
}

echo '{"state": "a secret of root"}' >secret
chmod 600 secret
hostile 'a link, which is not followed here' as_agent ln -s "$WORK/secret" status.json
hostile 'a link, which is not followed here' as_agent ln -s /dev/null status.json
hostile 'not a regular file' as_agent mkfifo status.json
hostile 'not a regular file' as_agent perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "status.json", Listen => 1) or die'
hostile 'not a regular file' mknod -m 644 status.json c 1 5
hostile 'too large' as_agent truncate --size=1G status.json
hostile 'no JSON object' as_agent sh -c 'printf %03000d 0 | tr 0 "[" >status.json'
hostile 'no JSON object' as_agent sh -c 'printf "{\"state\": \"\377\"}" >status.json'
hostile 'owned or writable by somebody else' install -m 644 -o 64002 "$WORK/secret" status.json
hostile 'owned or writable by somebody else' install -m 666 -o $agent "$WORK/secret" status.json
hostile 'a folder, where a file belongs' as_agent mkdir status.json
grep -qF "$status: a folder, where a file belongs; it stays" said || fail "what is left is not told: $(cat said)"
as_agent rmdir "$status"
says 'sdi-agent has not run since the boot' sdictl status

# Escape sequences: the title, the screen, the clipboard, one that begins with a C1 control, text from right to left.
cat >journal <<'E2'
{"MESSAGE_ID": "b1f4b7d64be04c3e8f1f0c4a88860003", "__MONOTONIC_TIMESTAMP": "1000000", "INTERFACE": "port0"}
{"MESSAGE_ID": "b1f4b7d64be04c3e8f1f0c4a88860003", "__MONOTONIC_TIMESTAMP": "2000000", "INTERFACE": "\u001b]0;owned"}
E2
printf '#!/bin/sh\ncat "%s/journal"\n' "$WORK" >journalctl
chmod 755 journalctl
mount --bind journalctl /usr/bin/journalctl
evil='\u001b]0;owned\u0007 \u001b[2J \u001b]52;c;cm0gLXJm\u0007 \u009b2J \u202eevil'
tried='{"time": "'$evil'", "url": "'$evil'", "result": "said \\x1b"}'
lease='{"address": "'$evil'", "server": ["'$evil'"], "option_67": "'$evil'", "option_150": ["'$evil'", 7]}'
port='{"name": "'$evil'", "mac": "'$evil'", "dhcp4": "'$evil'", "dhcp6": {}, "lease": '$lease', "tried": ['$tried', '$tried']}'
as_agent sh -c 'cat >"$1"' sh "$status" <<E2
{"version": 1, "$evil": "$evil", "state": "$evil", "reason": "$evil", "serial": "$evil", "next_attempt": "$evil", "time": null, "ports": [$port]}
E2
is_text() {
        ! LC_ALL=C grep -n '[^ -~]' output || fail 'a terminal gets more than text'
}
sdictl status >output
is_text
[ "$(grep -cF 'owned' output)" -ge 8 ] || fail "not shown: $(cat output)"
[ "$(grep -cF 'said \x1b' output)" -eq 2 ] || fail "what was escaped before is escaped again: $(cat output)"
[ "$(sed -n '/^Timeline/,$p' output | grep -c ' on port0$')" -eq 1 ] || fail "the timeline: $(cat output)"
sdictl status --json >output
is_text
[ "$(gojq -r .state output)" = "$(gojq -r .state "$status")" ] || fail 'the JSON says something else'

# A log line is one line, and text.
ended=0
"$BUILD/agent/sdi-unwrap" --once --config=$'/none\e[2J\nPRIORITY=0' </dev/null 2>output || ended=$?
[ $ended -eq 78 ] || fail "ended with $ended"
is_text
[ "$(cat output)" = 'sdi-unwrap: /none\x1b[2J\x0aPRIORITY=0: No such file or directory' ] || fail "said: $(cat output)"

# The settings of the system. What they say is seen by what PrepareCommand= does.
settings() {
        printf '[Network]\nPrepareCommand=/usr/bin/touch /run/%s\n' "$1"
}
prepare() {
        rm -f /run/prepared*
        timeout 10 "$BUILD/agent/sdictl" prepare
}
prepared() {
        [ "$(ls -d /run/prepared*)" = "/run/$1" ] || fail "the settings of $(ls -d /run/prepared*) count"
}
# refused TEXT
refused() {
        says "$1" prepare
        [ ! -e /run/prepared ] || fail 'the settings count'
}
mkdir -p /etc/sdi
mount -t tmpfs -o mode=755 tmpfs /etc/sdi # other tests have one, too
install -d -m 755 /run/sdi/sdi.conf.d /etc/sdi/sdi.conf.d
settings prepared >/run/sdi/sdi.conf.d/10-a.conf
prepare
prepared prepared
settings prepared-link >/run/linked
ln -s /run/linked /run/sdi/sdi.conf.d/10-b.conf
prepare
prepared prepared-link

# A link to /dev/null masks what has the same name, and is no error where it masks nothing.
ln -s /dev/null /etc/sdi/sdi.conf.d/10-b.conf
ln -s /dev/null /etc/sdi/sdi.conf
prepare
prepared prepared
rm -r /etc/sdi/* /run/sdi/sdi.conf.d/10-b.conf

# Where somebody else could have put them.
not_root='owned or writable by somebody other than root; chown and chmod it, or remove it'
chown $agent /run/sdi/sdi.conf.d/10-a.conf
refused "/run/sdi/sdi.conf.d/10-a.conf: $not_root"
chown 0 /run/sdi/sdi.conf.d/10-a.conf
chown $agent /run/sdi/sdi.conf.d
refused "/run/sdi/sdi.conf.d: $not_root"
chown 0 /run/sdi/sdi.conf.d
chgrp $agent /run/sdi
chmod 1775 /run/sdi # as it was in 0.1.0
refused "/run/sdi: $not_root"
chmod 755 /run/sdi
mkfifo /run/sdi/sdi.conf.d/20-fifo.conf
refused '/run/sdi/sdi.conf.d/20-fifo.conf: not a regular file'
rm /run/sdi/sdi.conf.d/20-fifo.conf
prepare
prepared prepared
