#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sdi-loader-test finds what is wrong with each of the broken loaders, and nothing else.
. "$(dirname "$0")/netns.sh"

printf '%s\n' 'one' 'a line of a configuration' 'end' >"$WORK/good"
printf '%s\n' 'two' 'another line of a configuration' 'end' >"$WORK/good2"
printf '%s\n' 'three' 'secret sesame' >"$WORK/bad"
: >"$WORK/sdi.conf"

# try STATUS OPTION... -- LOADER...: what sdi-loader-test says goes to $WORK/said.log.
try() {
        local expected=$1 status=0

        shift
        rm -rf "${WORK:?}/etc"
        mkdir "$WORK/etc"
        "$BUILD/agent/sdi-loader-test" --config="$WORK/sdi.conf" --good="$WORK/good" --good2="$WORK/good2" --bad="$WORK/bad" \
                --watch="$WORK/etc" --moments=3 --check-timeout=1s "$@" "$WORK/etc" >"$WORK/said.log" || status=$?
        [ "$status" -eq "$expected" ] || fail "ended with $status: $* $(cat "$WORK/variant" 2>/dev/null)"
}

# breaks CLAUSE OPTION... -- LOADER...: this clause fails, and no other one.
breaks() {
        local clause=$1

        shift
        try 1 "$@"
        [ "$(sed -n 's/^not ok \([0-9]*\) .*/\1/p' "$WORK/said.log")" = "$clause" ] || fail "not $clause alone, of $*"
        [ "$(grep -c '^ok ' "$WORK/said.log")" -eq 6 ] || fail "not all clauses, of $*"
        ! grep -q sesame "$WORK/said.log" || [ "$clause" -eq 7 ] || fail 'a secret was shown'
}

for clause in 1 2 3 4 5 6 7; do
        breaks $clause --secret=sesame -- "$TESTS/broken-loaders/$clause"-*
done

# More ways to break a clause. variant CODE: the loader $WORK/variant, whole but for CODE.
variant() {
        printf '%s\n' '#!/bin/sh' ". '$TESTS/broken-loaders/whole'" "$1" run >"$WORK/variant"
        chmod +x "$WORK/variant"
}

also_breaks() {
        variant "$2"
        breaks "$1" --moments=1 -- "$WORK/variant"
}

variant ''
try 0 --secret=sesame -- "$WORK/variant"
[ "$(grep -c '^ok ' "$WORK/said.log")" -eq 7 ] || fail 'a whole loader does not pass'

also_breaks 1 'check() { good || exit 75; }'
also_breaks 1 'run() { trap "exit 75" TERM; rm -f "$new"; case $verb in check | commit | reset) $verb ;; esac; }'
also_breaks 3 'commit() { put; good || refuse "too late"; }'
also_breaks 4 'reset() { rm "$configuration" || exit 1; }'
also_breaks 5 'commit() { good || refuse bad; put; sleep 1000 & }'
also_breaks 5 'commit() { good || refuse bad; put; setsid sleep 3 >/dev/null 2>&1 & wait; }'
also_breaks 7 'reset() { rm -f "$configuration"; seq 101; }'
also_breaks 7 'check() { good || refuse "what is this? $(cat)"; }'

# A daemon is fine where its name was given.
variant 'commit() { good || refuse bad; setsid sleep 1 >/dev/null 2>&1 & put; }'
try 0 --moments=1 --daemon=sleep -- "$WORK/variant"

# Whoever looks in the wrong place, or gives it no chance, does not hear that all is well.
variant 'put() { :; }'
try 70 -- "$WORK/variant"
grep -q '^Bail out! .*difference' "$WORK/said.log" || fail 'did not bail out'
try 70 -- "$WORK/nonexistent"
