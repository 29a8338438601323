# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced first by the tests of the whole pipeline: a device with a TPM (tpm.sh) in a network namespace, its programs run by the users and
# with the rights that their units give them. tests/activate stands in for systemd's sockets.
#
#   $SN                the serial number of the device
#   $CONFIG            its sdi.conf, with short intervals; tests append to it before start_device
#   $LOADED            what the test's loader has committed
#   start_device       starts the sockets and the agent
#   start_agent, stop_agent
#   sdictl ARGS...     as root on the device
#   make_key           `sdictl key create`; the certificate is then in $WORK/$SN.crt
#   start_dnsmasq ARGS...   a DHCP server at 192.0.2.1 behind port0
#   start_tftpd        tftpd-hpa beside it; both serve $TFTP
#   status OPTION FILTER   what the agent says of itself, which is what `sdictl status --json` prints, through gojq
#   routes_of_ours     all routes and rules that the agent has set
#   state_is STATE; reason_has TEXT; agent_said TEXT; unwrap_said TEXT; load_said TEXT
#   wait_provisioned   fails the test when that takes too long

. "$(dirname "${BASH_SOURCE[0]}")/tpm.sh"

SN=SN19842256
export RUNTIME_DIRECTORY="$WORK/run" STATE_DIRECTORY="$WORK/state"
CONFIG="$WORK/sdi.conf"
TFTP="$WORK/tftp"
# shellcheck disable=SC2034 # the tests use it
LOADED="$WORK/loaded"

# Users of the programs, for this test alone.
for file in passwd group; do
        cp "/etc/$file" "$WORK/$file"
done
echo 'sdi-agent:x:64001:64001::/:/usr/sbin/nologin
sdi-unwrap:x:64002:64002::/:/usr/sbin/nologin' >>"$WORK/passwd"
echo 'sdi-agent:x:64001:
sdi-unwrap:x:64002:' >>"$WORK/group"
for file in passwd group; do
        mount --bind "$WORK/$file" "/etc/$file"
done

# Everybody can reach the programs; nobody the test's other files.
chmod 711 "$WORK"
mkdir -m 755 "$WORK/bin" "$STATE_DIRECTORY" "$TFTP"
install -d -m 755 "$RUNTIME_DIRECTORY"
install -d -m 755 -o sdi-agent -g sdi-agent "$RUNTIME_DIRECTORY/agent"
cp "$BUILD"/agent/{sdi-agent,sdi-unwrap,sdi-load,sdictl} "$WORK/bin"
chmod 755 "$WORK"/bin/*

cat >"$WORK/bin/loader" <<'EOF'
#!/bin/sh
# Takes what does not say "reject", "refuse-commit" or "hang".
set -eu
work=${0%/bin/loader}
if [ "$1" = reset ]; then
        [ ! -e "$work/reset-waits" ] || read -r _ <"$work/gate"
        [ ! -e "$work/reset-fails" ] || { echo "no room"; exit 1; }
        rm -f "$work/loaded"
        exit
fi
{ [ "$SDI_MODE" = replace ] || cat "$work/loaded"; cat; } >"$work/loader.in"
echo "$1 $SDI_ORIGIN $SDI_ENCRYPTED $SDI_INTERFACE" >>"$work/loader.calls"
case "$1" in
check)
        if grep -aq '^reject' "$work/loader.in"; then echo "line 1: unknown command"; exit 1; fi
        if grep -aq '^busy' "$work/loader.in"; then echo "still starting"; exit 75; fi
        if grep -aq '^hang' "$work/loader.in"; then echo "thinking"; sleep 1000; fi
        if grep -aq '^wait' "$work/loader.in"; then read -r _ <"$work/gate"; fi
        ;;
commit)
        if grep -aq '^refuse-commit' "$work/loader.in"; then echo "no room"; exit 1; fi
        if grep -aq '^late' "$work/loader.in"; then read -r _ <"$work/gate"; fi
        mv "$work/loader.in" "$work/loaded"
        ;;
esac
EOF
chmod 755 "$WORK/bin/loader"
mkfifo "$WORK/gate"
echo "$SN" >"$WORK/serial"

cat >"$CONFIG" <<EOF
[Network]
Interfaces=port*
[Identity]
Source=file
File=$WORK/serial
[Retry]
Interval=200ms
FirstPeriod=1h
Jitter=0%
[Key]
TCTI=$TCTI
EOF
# A program's path is split at spaces, and $WORK has one.
ln -s "$WORK" "/run/${WORK##*.}"
printf '[Load]\nLoader=%s\n' "/run/${WORK##*.}/bin/loader" >>"$CONFIG"
sed -i "s|^work=.*|work='$WORK'|" "$WORK/bin/loader"

# serve SOCKET USER GROUP: the socket, and its program (sdi-NAME of NAME or NAME-root) whenever somebody connects.
serve() {
        start "${1/-/_}" "$BUILD/tests/activate" "$RUNTIME_DIRECTORY/$1.sock" "$3" "$2" "$WORK/bin/sdi-${1%-root}" --config="$CONFIG"
        wait_for 5 test -S "$RUNTIME_DIRECTORY/$1.sock"
}

start_agent() {
        local caps=+net_admin,+net_raw,+net_bind_service

        sdictl prepare || : # as in the unit
        start agent setpriv --reuid sdi-agent --regid sdi-agent --clear-groups --bounding-set "-all,$caps" --inh-caps "$caps" --ambient-caps "$caps" \
                "$WORK/bin/sdi-agent" --config="$CONFIG"
}

stop_agent() {
        stop agent
}

start_device() {
        chmod 666 "$WORK"/tpm/sock* 2>/dev/null || :
        chmod 711 "$WORK/tpm"
        serve unwrap sdi-unwrap sdi-agent
        serve load root sdi-unwrap
        serve unwrap-root sdi-unwrap root
        serve load-root root root
        start_agent
}

sdictl() {
        "$WORK/bin/sdictl" --config="$CONFIG" "$@"
}

make_key() {
        sdictl key create >/dev/null
        sdictl key certificate >"$WORK/$SN.crt"
}

start_dnsmasq() {
        ip -n server addr replace 192.0.2.1/24 dev srv0
        start dnsmasq in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root \
                --log-facility=- --log-dhcp --interface=srv0 --dhcp-authoritative --no-ping \
                --dhcp-range=192.0.2.10,192.0.2.99,1h --dhcp-leasefile="$WORK/leases" "$@"
        wait_for 5 grep -q started "$WORK/dnsmasq.log"
}

start_tftpd() {
        start tftpd in_server in.tftpd --foreground --address 192.0.2.1:69 --secure "$TFTP"
        wait_for 5 in_server sh -c 'ss -uln | grep -q 192.0.2.1:69'
}

status() {
        gojq "$1" "$2" "$RUNTIME_DIRECTORY/agent/status.json"
}

state_is() {
        status -e ".state == \"$1\""
}

reason_has() {
        [[ $(status -r .reason) = *"$1"* ]]
}

agent_said() {
        grep -qF -- "$1" "$WORK/agent.log"
}

unwrap_said() {
        grep -qF -- "$1" "$WORK"/unwrap*.log
}

load_said() {
        grep -qF -- "$1" "$WORK"/load*.log
}

agent_has_ended() {
        ! kill -0 "$pid_agent" 2>/dev/null
}

wait_provisioned() {
        wait_for 20 test -e "$STATE_DIRECTORY/provisioned"
        wait_for 5 agent_has_ended
        wait "$pid_agent" || fail "sdi-agent ended with status $?"
}

# The addresses, routes and rules that the agent has set, of both families.
routes_of_ours() {
        ip route show table all proto 88
        ip -6 route show table all proto 88
        { ip rule show; ip -6 rule show; } | grep 'proto 88' || :
}

# No address, route or rule of ours is left, and nothing in the TPM.
nothing_is_left() {
        [ -z "$(ip -o addr show scope global)" ] || fail "addresses are left"
        [ -z "$(routes_of_ours)" ] || fail "routes or rules are left: $(routes_of_ours)"
        [ ! -e "$RUNTIME_DIRECTORY/agent/addresses" ] || fail "the ledger is left"
        [ "$(loaded)" -eq 0 ] || fail "something is left in the TPM"
}
