# SPDX-License-Identifier: Apache-2.0
# Sourced first by every netns-* test and by the benchmarks: puts the script into namespaces of its own.
#
# The script goes on as PID 1 of a new PID namespace with its own network, mounts, IPC and host name; /run and /etc/resolv.conf
# are private. Whatever it starts dies with it, and nothing of it can reach the machine's network or its files in /run.
#
#   $WORK            a folder of the test's own, with a space in its name, removed afterwards
#   in_server CMD    runs CMD in the namespace `server`; the script itself is in the device's namespace
#   connect A B      a veth pair: A in the device's namespace, B in the server's, B up
#   connect_delayed A B [--delay SPAN] [--loss PERCENT] [--seed N]
#                    the same over a line with a one-way delay and loss (tests/relay.c), $pid_relay
#   start NAME CMD   starts CMD in the background, its output in $WORK/NAME.log, its PID in $pid_NAME
#   stop NAME        kills it by its PID and waits for it
#   wait_for SECONDS CMD...   polls CMD until it succeeds, the longer the less often; fails the test when that takes longer, and a minute
#                    more for a busy machine
#   pause SECONDS    without a program
#   fail TEXT...     ends the test, showing the logs and what is running
#
# A test waits on conditions and never sleeps for a result.

set -euo pipefail

if [ -z "${SDI_NAMESPACE:-}" ]; then
        SDI_NAMESPACE=1 exec unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc \
                --propagation private -- "$BASH" "$0" "$@"
fi

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-$TESTS/../build}

mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/netns
WORK=$(mktemp -d "${TMPDIR:-/tmp}/sdi test.XXXXXX")
: >"$WORK/resolv.conf"
mount --bind "$WORK/resolv.conf" "$(realpath -e /etc/resolv.conf 2>/dev/null || echo /etc/resolv.conf)"

ip link set lo up
ip netns add server
ip -n server link set lo up

finish() {
        local status=$?

        trap - EXIT
        if [ "$status" -ne 0 ]; then
                for log in "$WORK"/*.log; do
                        [ -s "$log" ] && printf -- '--- %s\n' "${log##*/}" && tail -n 60 "$log"
                done >&2
                ps -eo pid,stat,etime,time,wchan:24,args --width 160 >&2
        fi
        rm -rf "$WORK"
        exit "$status"
}

AT_EXIT=finish # or what the lab has in its place
set_traps() {
        trap "$AT_EXIT" EXIT
        trap 'exit 143' TERM INT
}
set_traps

fail() {
        printf 'FAILED: %s\n' "$*" >&2
        exit 1
}

in_server() {
        ip netns exec server "$@"
}

connect() {
        ip link add "$1" type veth peer name "$2" netns server
        ip -n server link set "$2" up
}

connect_delayed() {
        local a=$1 b=$2

        shift 2
        start relay "$BUILD/tests/relay" "$@" "$a" server "$b"
        wait_for 5 grep -q ready "$WORK/relay.log"
        ip link set "$a" txqueuelen 10000
        ip -n server link set "$b" txqueuelen 10000 up
}

start() {
        local name=$1

        shift
        # A function would leave a shell between us and the program, and its PID instead of the program's.
        [ "$1" != in_server ] || set -- ip netns exec server "${@:2}"
        # With our traps, what is stopped before it is executed would end as the script does.
        trap - EXIT TERM INT
        "$@" >"$WORK/$name.log" 2>&1 &
        printf -v "pid_$name" %s $!
        set_traps
}

exec {never}<> <(:)
pause() {
        read -rt "$1" -u "$never" || :
}

stop() {
        local pid="pid_$1"

        # Again and again: a program that is just starting may lose it.
        while kill "${!pid}" 2>/dev/null; do
                pause 0.02
        done
        wait "${!pid}" 2>/dev/null || :
}

wait_for() {
        local start=${EPOCHREALTIME/.} end=$((SECONDS + $1 + 60)) pause

        shift
        until "$@" >/dev/null 2>&1; do
                [ "$SECONDS" -le "$end" ] || fail "timed out waiting for: $*"
                pause=$(((${EPOCHREALTIME/.} - start) / 10))
                printf -v pause 0.%06d $((pause < 10000 ? 10000 : pause > 200000 ? 200000 : pause))
                pause "$pause"
        done
}
