# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced after netns.sh by the tests of the loaders.
#
#   load STATUS INPUT WORD...    calls LOADER WORD... as sdi-load does, INPUT on its standard input; fails the test unless it ends
#                                with STATUS. What it said is in $WORK/said. $MODE is replace, unless it is set.
#   killed N INPUT WORD...       the same, but kills it and its children before the Nth program that it runs. Returns 1 when it
#                                did not run that many.
#   keeps_contract OPTION...     has sdi-loader-test try LOADER; fails the test unless it passes.

call_loader() {
        local path=$1 input=$2

        shift 2
        setsid --wait env -i PATH="$path" LANG=C.UTF-8 SDI_ORIGIN=tftp://192.0.2.1/SN19842256.enc SDI_ENCRYPTED=1 \
                SDI_INTERFACE=port0 SDI_MODE="${MODE-replace}" "${LOADER[@]}" "$@" <"$input" >"$WORK/said" 2>&1
}

load() {
        local expected=$1 status=0

        shift
        call_loader "$PATH" "$@" || status=$?
        [ "$status" -eq "$expected" ] || fail "${*:2} with ${1##*/}: ended with $status, said: $(cat "$WORK/said")"
}

# The programs that a loader runs are found here first. Each call is counted, and kills the loader's process group in its turn.
mkdir "$WORK/counted"
cat >"$WORK/counted/counted" <<EOF
#!/bin/sh
printf . >>"$WORK/count"
[ "\$(/usr/bin/wc -c <"$WORK/count")" -lt "\$(/usr/bin/cat "$WORK/kill-at")" ] || kill -KILL 0
exec "/usr/bin/\${0##*/}" "\$@"
EOF
chmod +x "$WORK/counted/counted"
for name in awk cat chgrp chmod chown cp install ln mkdir mv networkctl readlink rm sync unshare vtysh; do
        ln -s counted "$WORK/counted/$name"
done

killed() {
        local status=0

        echo "$1" >"$WORK/kill-at"
        : >"$WORK/count"
        shift
        call_loader "$WORK/counted:$PATH" "$@" 2>/dev/null || status=$?
        case $status in
        137) ;;
        0) return 1 ;;
        *) fail "to be killed: ended with $status, said: $(cat "$WORK/said")" ;;
        esac
}

keeps_contract() {
        : >"$WORK/sdi.conf"
        "$BUILD/agent/sdi-loader-test" --config="$WORK/sdi.conf" "$@" -- "${LOADER[@]}" >"$WORK/contract.log" ||
                fail 'sdi-loader-test does not pass'
}
