#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The hops between the programs, with a broken-into sdi-agent or sdi-unwrap at one end: root does not wait behind them, nobody waits for
# ever, and they cannot ask for what only root may.

. "$(dirname "$0")/device.sh"

cd "$WORK"
start_tpm
make_key
connect port0 srv0
cp "$BUILD/tests/hand-over" bin
mkdir -m 755 files
echo 'hostname sw1' >files/sw1
echo reject >files/bad
start_device

as() {
        local user=$1

        shift
        setpriv --reuid "$user" --regid "$user" --clear-groups "$WORK/bin/hand-over" "$@"
}

# Sixty connections that hand nothing over. Each is given up after some seconds, one after the other; root is served before that.
coproc idle { as sdi-agent idle "$RUNTIME_DIRECTORY/unwrap.sock" 60; }
read -r line <&"${idle[0]}"
[ "$line" = ready ] || fail "no connections: $line"
sdictl load files/sw1
cmp files/sw1 "$LOADED"
echo >&"${idle[1]}"
read -r n <&"${idle[0]}"
[ "$n" -ge 40 ] || fail "root had to wait for the end of $((60 - n)) of 60 idle connections"
kill "$idle_PID"

# While a file of the agent is being installed, root waits for that one alone: the agent's next file, which is queued already, is not
# installed before root's.
rm "$STATE_DIRECTORY/provisioned"
printf 'wait\nrefuse-commit\n' >files/waits
as sdi-agent give "$RUNTIME_DIRECTORY/unwrap.sock" "$WORK/files/waits" >waits &
pid_waits=$!
wait_for 90 grep -q "check $WORK/files/waits" loader.calls # behind what is left of the idle ones
as sdi-agent give "$RUNTIME_DIRECTORY/unwrap.sock" "$WORK/files/bad" >queued &
pid_queued=$!
sdictl load files/sw1 >said 2>&1 &
pid_load=$!
wait_for 10 grep -q 'waiting for the end of the installation' said
expect_status 75 sdictl load files/sw1 2>other
grep -q 'a configuration is being installed' other || fail "$(cat other)"
echo >gate
wait $pid_load || fail "root's file was not installed: $(cat said)"
wait $pid_waits $pid_queued
grep -q $'\tcommit-failed\t' waits || fail "$(cat waits)"
grep -q $'\tunavailable\t\|\talready-provisioned\t' queued || fail "$(cat queued)"
! grep -q "files/bad" loader.calls || fail "the agent's next file came before root's"
cmp files/sw1 "$LOADED"

# What is on record is known from root, or called a claim.
rm "$STATE_DIRECTORY/provisioned"
as sdi-agent give "$RUNTIME_DIRECTORY/unwrap.sock" "$WORK/files/sw1" >given
grep -q $'\tinstalled\t' given || fail "$(cat given)"
record() {
        gojq -c "$1" "$STATE_DIRECTORY/provisioned"
}
[ "$(record '[.origin, .claims]')" = "[\"$WORK/files/sw1\",[\"origin\",\"interface\",\"encrypted\",\"sha256\",\"key\"]]" ] ||
        fail "the record: $(record .)"
sdictl status >shown
grep -q "^From: .*sw1.*claim" shown || fail 'the status does not say that it is a claim'
sdictl load files/sw1
[ "$(record '[.origin, .sha256, .claims]')" = "[\"$WORK/files/sw1\",\"$(sha256sum <files/sw1 | cut -d' ' -f1)\",[\"encrypted\",\"key\"]]" ] ||
        fail "the record of root's file: $(record .)"

# sdi-unwrap cannot have a provisioned device configured anew, whatever it writes into its request.
before=$(record .)
for flags in 0 1 2 3 4 5 6 7; do
        as sdi-unwrap flags "$RUNTIME_DIRECTORY/load.sock" files/bad $flags >>flags
done
[ "$(wc -l <flags)" -eq 8 ] || fail "$(cat flags)"
! grep -q $'\tinstalled\t\\|refused-by-check' flags || fail "the loader was run: $(cat flags)"
[ "$(record .)" = "$before" ] || fail 'another record'
expect_status 1 as sdi-unwrap give "$RUNTIME_DIRECTORY/load-root.sock" files/sw1 2>/dev/null
expect_status 1 as sdi-agent give "$RUNTIME_DIRECTORY/unwrap-root.sock" files/sw1 2>/dev/null

# One who has no room for the answer does not hold up the next one.
rm "$STATE_DIRECTORY/provisioned"
chmod 755 files
start full setpriv --reuid sdi-unwrap --regid sdi-unwrap --clear-groups "$WORK/bin/hand-over" full "$RUNTIME_DIRECTORY/load.sock" files/bad
wait_for 10 load_said 'nobody waits for this answer any more'
as sdi-unwrap flags "$RUNTIME_DIRECTORY/load.sock" files/bad 0 >next
grep -q $'\trefused-by-check\t' next || fail "$(cat next)"
stop full
