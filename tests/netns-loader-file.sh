#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The loader for a plain file: what it accepts, what it leaves, and that killing it at any step splits nothing.
. "$(dirname "$0")/netns.sh"
. "$TESTS/loader.sh"

mkdir "$WORK/etc"
destination=$WORK/etc/the\ configuration
LOADER=("$TESTS/../conf/loaders/file" "$destination")

printf 'old\n' >"$WORK/old"
printf 'new \0 binary \377' >"$WORK/new"
: >"$WORK/empty"

files() {
        ls -A "$WORK/etc"
}

before=$(files)
load 0 "$WORK/new" check
load 1 "$WORK/empty" check
load 1 "$WORK/empty" commit
load 1 "$WORK/new" install
[ "$(files)" = "$before" ] || fail "files that nobody asked for: $(files)"

load 0 "$WORK/old" commit
cmp "$WORK/old" "$destination" || fail 'another file than the configuration'
[ "$(stat -c '%a %U' "$destination")" = '600 root' ] || fail 'the file is open to others'
before=$(files)

n=1
while killed $n "$WORK/new" commit; do
        cmp -s "$WORK/old" "$destination" || cmp "$WORK/new" "$destination" || fail "split when killed at $n"
        load 0 "$WORK/new" check
        [ "$(files)" = "$before" ] || fail "left behind when killed at $n: $(files)"
        load 0 "$WORK/old" commit
        n=$((n + 1))
done
[ $n -gt 4 ] || fail 'was not killed often enough to mean anything'
cmp "$WORK/new" "$destination" || fail 'the new file is not there'

for verb in check commit; do
        MODE=merge load 1 "$WORK/old" $verb
        grep -q 'can only replace' "$WORK/said" || fail "said: $(cat "$WORK/said")"
done
cmp "$WORK/new" "$destination" || fail 'merged, although it cannot be'

load 0 "$WORK/empty" reset
[ ! -e "$destination" ] || fail 'still there after a reset'
load 0 "$WORK/empty" reset
keeps_contract --good="$WORK/new" --good2="$WORK/old" --bad="$WORK/empty" --watch="$WORK/etc" --secret=binary

LOADER=("$TESTS/../conf/loaders/file" "$WORK/no/such/folder")
load 75 "$WORK/new" check
load 75 "$WORK/new" commit
