# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the tests of the vendor's directory, after netns.sh or tpm.sh and operator.sh.
#
#   make_factory                  a CA of the factory with a station's and a supervisor's certificate, a server's certificate, an authority
#   use_store sqlite|postgresql   in $WORK; PostgreSQL is started
#   configure [TEXT]              $WORK/directory.conf, with TEXT at its end; with clear=1 the public side has no TLS
#   start_directory, stop_directory
#   $PUBLIC, $FACTORY             the URLs of both sides; ask CURL-OPTIONS... and enroll CURL-OPTIONS... ask them, the latter as the station
#   status                        what either was answered last; the body is in $WORK/answer, the head in $WORK/head
#   answered STATUS [TEXT]        fails the test unless that was it, with TEXT in body or head
#   audited TEXT                  the server has written an audit line with TEXT
#   start_postgres, stop_postgres, kill_postgres

PUBLIC=https://keys.vendor.example:8443
FACTORY=https://factory.vendor.example:9443
PG=$(echo /usr/lib/postgresql/*/bin)

cp /etc/hosts "$WORK/hosts"
echo '127.0.0.1 keys.vendor.example factory.vendor.example' >>"$WORK/hosts"
mount --bind "$WORK/hosts" /etc/hosts

make_factory() {
        make_ca ca
        make_ca other-ca
        make_ca authority
        make_certificate server ca /CN=keys.vendor.example 'subjectAltName=DNS:keys.vendor.example,DNS:factory.vendor.example'
        make_certificate station ca '/CN=station 7/OU=station' 'extendedKeyUsage=clientAuth'
        make_certificate supervisor ca '/CN=supervisor/OU=supervisor' 'extendedKeyUsage=clientAuth'
}

use_store() {
        case $1 in
        sqlite)
                STORE=sqlite:$WORK/directory.db
                ;;
        postgresql)
                STORE="postgresql://sdi@/sdi?host=${WORK// /%20}/pg"
                mkdir -m 711 "$WORK/pg"
                chmod 711 "$WORK"
                chown postgres "$WORK/pg"
                as_postgres "$PG/initdb" -D "$WORK/pg/data" -U sdi --auth=trust --no-sync >"$WORK/initdb.log"
                printf "listen_addresses = ''\nunix_socket_directories = '%s'\n" "$WORK/pg" >>"$WORK/pg/data/postgresql.conf"
                start_postgres
                as_postgres "$PG/createdb" -h "$WORK/pg" -U sdi sdi
                ;;
        esac
}

as_postgres() {
        setpriv --reuid postgres --regid postgres --clear-groups "$@"
}

start_postgres() {
        start postgres setpriv --reuid postgres --regid postgres --clear-groups "$PG/postgres" -D "$WORK/pg/data"
        wait_for 60 as_postgres "$PG/psql" -h "$WORK/pg" -U sdi -c 'SELECT 1' postgres
}

stop_postgres() {
        kill -INT "$pid_postgres"
        wait "$pid_postgres" || :
}

# All of its processes, in the middle of whatever they do.
kill_postgres() {
        pkill -KILL -U postgres || :
        wait "$pid_postgres" 2>/dev/null || :
        wait_for 10 sh -c '! pgrep -U postgres'
}

configure() {
        cat >"$WORK/directory.conf" <<EOF
[Store]
URL=$STORE
[Public]
${clear:+#}Certificate=$WORK/server.crt
${clear:+#}Key=$WORK/server.key
[Factory]
Certificate=$WORK/server.crt
Key=$WORK/server.key
ClientCA=$WORK/ca.crt
ReplaceRoles=supervisor
[Authority]
Certificate=$WORK/authority.crt
Key=$WORK/authority.key
${1-}
EOF
}

directory() {
        "$BUILD/directory/sdi-directory" --config="$WORK/directory.conf" "$@"
}

start_directory() {
        start directory systemd-socket-activate -l 127.0.0.1:8443 -l 127.0.0.1:9443 --fdname=public:factory \
                "$BUILD/directory/sdi-directory" --config="$WORK/directory.conf"
        wait_for 20 curl -fs --cacert "$WORK/ca.crt" $PUBLIC/healthz
}

stop_directory() {
        stop directory
}

curl_() {
        curl -s --cacert "$WORK/ca.crt" --max-time 30 -D "$WORK/head" -o "$WORK/answer" -w '%{http_code}' "$@" >"$WORK/status" || :
}

ask() {
        curl_ "$@"
}

enroll() {
        curl_ --cert "$WORK/${as:-station}.crt" --key "$WORK/${as:-station}.key" "$@"
}

status() {
        cat "$WORK/status"
}

answered() {
        [ "$(status)" = "$1" ] || fail "answered $(status) instead of $1: $(cat "$WORK/answer")"
        [ -z "${2-}" ] || grep -aqF -- "$2" "$WORK/head" "$WORK/answer" || fail "\"$2\" is not in: $(cat "$WORK/head" "$WORK/answer")"
}

audited() {
        grep -qF -- "$1" "$WORK/directory.log" || fail "no audit line has \"$1\": $(tail -n 5 "$WORK/directory.log")"
}
