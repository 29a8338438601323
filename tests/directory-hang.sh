#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# PostgreSQL hangs: all of it, and then only in its answers. The directory answers all the while, with 503 to
# those who ask for a device, keeps its deadlines, and goes on by itself when the database does.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

cd "$WORK"
make_factory
use_store postgresql
configure '[Limits]
Timeout=10s'
directory migrate
start_directory
make_device p256 SN1 SN1
make_device p256 SN2 SN2
enroll -T SN1.crt $FACTORY/certificates/SN1
answered 201

all_is_well() {
        curl -fs --cacert ca.crt --max-time 10 $PUBLIC/certificates/SN1.crt | cmp -s - SN1.crt
}
without_the_database() {
        ask $PUBLIC/style.css
        answered 200
        ask --data serials= $PUBLIC/
        answered 200
}
refuses_for_now() {
        ask "$PUBLIC/certificates/SN1.crt"
        answered 503 'Retry-After: 2'
        ask $PUBLIC/healthz
        answered 503
        enroll -T SN2.crt $FACTORY/certificates/SN2
        answered 503 'Retry-After: 2'
        ask --data 'serials=SN1 SN2 SN3' $PUBLIC/
        answered 200 'could not be looked up now'
        without_the_database
}

# --- All of its processes stop: no connection can be made either.
pkill -STOP -U postgres
exec {silent}<>/dev/tcp/127.0.0.1/8443
refuses_for_now
for ((i = 0; i < 50; i++)); do
        curl -s --cacert ca.crt --max-time 60 -o /dev/null "$PUBLIC/certificates/SN1.crt" &
        asking[i]=$!
done
without_the_database
silent_is_closed() {
        [ -z "$(ss -Htn state established '( sport = :8443 )')" ]
}
wait "${asking[@]}" || fail 'a question is not answered at all'
wait_for 30 silent_is_closed
refuses_for_now
exec {silent}>&-
pkill -CONT -U postgres
wait_for 30 all_is_well
without_the_database

# --- It accepts connections, and a lock keeps it from answering.
mkfifo lock
as_postgres "$PG/psql" -qAt -h "$WORK/pg" -U sdi sdi <lock >locked &
exec {lock}>lock
echo "BEGIN; LOCK TABLE certificates; SELECT 'held';" >&"$lock"
wait_for 20 grep -q held locked
refuses_for_now
refuses_for_now
exec {lock}>&-
wait_for 30 all_is_well
enrolled() {
        enroll -T SN2.crt $FACTORY/certificates/SN2
        [ "$(status)" = 201 ] || [ "$(status)" = 200 ]
}
wait_for 30 enrolled

# --- It is gone, and back.
kill_postgres
refuses_for_now
start_postgres
wait_for 30 all_is_well
stop directory
