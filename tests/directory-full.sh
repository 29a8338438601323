#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The disk of the directory is full: whoever enrols is told so, what was answered before stays, lookups go on, and it goes on by itself once there
# is room again.

. "$(dirname "$0")/tpm.sh"
. "$(dirname "$0")/operator.sh"
. "$(dirname "$0")/directory.sh"

cd "$WORK"
make_factory
disk=/run/disk # not in $WORK, which could not be removed then
mkdir $disk
mount -t tmpfs -o size=1M tmpfs $disk
STORE=sqlite:$disk/directory.db
configure
start_directory
make_device p256 SN0 SN0
enroll -T SN0.crt $FACTORY/certificates/SN0
answered 201

# enroll_next: one device more, of the number $n and the same key; its certificate stays in $WORK.
n=0
enroll_next() {
        n=$((n + 1))
        openssl req -x509 -new -key SN0.key -subj "/CN=SN$n" -days 3650 -out "SN$n.crt" -addext keyUsage=critical,keyAgreement
        enroll -T "SN$n.crt" "$FACTORY/certificates/SN$n"
}
all_are_served() { # up to this one
        local i

        for ((i = 0; i <= $1; i++)); do
                ask "$PUBLIC/certificates/SN$i.crt"
                answered 200
                cmp answer "SN$i.crt"
        done
}

fallocate -l 512K $disk/filler
until enroll_next && [ "$(status)" != 201 ]; do
        [ "$n" -lt 1000 ] || fail 'the disk does not become full'
done
full=$n
answered 503 'The directory cannot do it now. Try again.'
answered 503 'Retry-After: '
audited 'the store cannot answer: database or disk is full'
all_are_served $((full - 1))
ask "$PUBLIC/certificates/SN$full.crt"
answered 404

# As long as it is full, and for a server that begins then.
enroll_next
answered 503
stop_directory
start_directory
all_are_served $((full - 1))
enroll_next
answered 503

rm $disk/filler
enroll -T "SN$full.crt" "$FACTORY/certificates/SN$full"
answered 201
stop_directory
start_directory
all_are_served "$full"
[ "$(sqlite3 -readonly $disk/directory.db 'PRAGMA integrity_check')" = ok ] || fail 'the database is damaged'
stop_directory
