# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced first by every tpm-* test: namespaces of its own (netns.sh) and a fresh swtpm at $TCTI.
#
#   start_tpm        starts swtpm on the state in $WORK/tpm (the same TPM again after stop_tpm)
#   stop_tpm
#   tool COMMAND...  tpm-tool on that TPM
#   loaded           how many objects and sessions are in the TPM's working memory
#   expect_status N COMMAND...   fails the test unless COMMAND ends with status N
#   damage FILE OFFSET           changes the byte there

. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"

mkdir "$WORK/tpm"
TCTI="swtpm:path=$WORK/tpm/sock"
export TPM2TOOLS_TCTI="$TCTI"

start_tpm() {
        rm -f "$WORK/tpm/sock" "$WORK/tpm/sock.ctrl"
        # The sockets are there before swtpm is: nobody can come too early.
        start swtpm systemd-socket-activate -l "$WORK/tpm/sock" -l "$WORK/tpm/sock.ctrl" \
                swtpm socket --tpm2 --tpmstate "dir=$WORK/tpm" --flags startup-clear \
                --server type=unixio,fd=3 --ctrl type=unixio,fd=4
        wait_for 5 test -S "$WORK/tpm/sock.ctrl"
}

stop_tpm() {
        stop swtpm
}

tool() {
        "$BUILD/tests/tpm-tool" "$TCTI" "$@"
}

loaded() {
        {
                tpm2_getcap handles-transient
                tpm2_getcap handles-loaded-session
                tpm2_getcap handles-saved-session
        } | wc -l
}

exec {console}>&2 # for what is said while standard error is redirected

expect_status() {
        local expected=$1 status=0

        shift
        "$@" || status=$?
        [ "$status" -eq "$expected" ] || fail "status $status instead of $expected: $*" 2>&"$console"
}

damage() {
        local byte

        byte=$(od -An -tu1 -j "$2" -N 1 "$1")
        printf '%b' "\\0$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
