#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 10,000 enrolments, in the middle of which the server is killed 50 times; on PostgreSQL the database, too. What was acknowledged is
# there, with the device's own key, and nothing else is ever served: others try all the time to enrol other keys for the same devices.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

COUNT=10000
KILLS=50

cd "$WORK"
make_factory
use_store "$1"
configure
[ "$1" = sqlite ] || directory migrate

flood() {
        "$BUILD/tests/enroll-flood" "$@"
}

acknowledged() {
        [ "$(wc -l <acknowledged)" -ge "$1" ]
}

start_directory
: >acknowledged
start enroll "$BUILD/tests/enroll-flood" enroll $FACTORY ca.crt station acknowledged 0 $COUNT
for ((i = 1; i <= KILLS; i++)); do
        wait_for 300 acknowledged $((i * COUNT / (KILLS + 5)))
        if [ "$1" = postgresql ] && [ $((i % 5)) -eq 0 ]; then
                kill_postgres
                start_postgres
        else
                kill -KILL "$pid_directory"
                wait "$pid_directory" 2>/dev/null || :
                start_directory
        fi
        # Who comes with another key for a device of before is refused, as soon as the server is there again.
        flood usurp $FACTORY ca.crt station usurped $((i * 20)) 2 || fail "another key was accepted after kill $i"
done
wait "$pid_enroll" || fail "enrolling has failed: $(cat enroll.log)"
acknowledged $COUNT || fail 'not all were acknowledged'
[ ! -s usurped ] || fail "usurped: $(cat usurped)"

# All of them, from what is on the disk.
[ "$1" = sqlite ] || { kill_postgres; start_postgres; }
kill -KILL "$pid_directory"
wait "$pid_directory" 2>/dev/null || :
start_directory
flood verify $PUBLIC ca.crt - acknowledged || fail 'a certificate is lost, or another'"'"'s'
[ "$1" = postgresql ] || [ "$(sqlite3 directory.db 'PRAGMA integrity_check')" = ok ] || fail 'the database is damaged'
echo "$(sort -u acknowledged | wc -l) acknowledged, $KILLS kills, all there"
