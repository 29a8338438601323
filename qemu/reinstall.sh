# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scenarios in which a switch that has its configuration is given another one, sourced after lib.sh.
#
#   load OPTION FILE                 what happens on the console of the switch; the file is one of the operator's
#   refused STATUS TEXT COMMAND...   the command ends with that status, and says that
#   provision                        powers on a switch, which provisions itself with $QEMU/first-power-on's configuration

load() {
        local option=$1 file=$2

        guest "base64 -d <<'EOF' | sdictl load $option -
$(base64 "$file")
EOF"
}

refused() {
        local status=0

        "${@:3}" >said || status=$?
        [ "$status" -eq "$1" ] || fail "status $status instead of $1: ${*:3}: $(cat said)"
        grep -qF -- "$2" said || fail "\"$2\" is not in: $(cat said)"
}

provision() {
        power_on port0
        guest_waits 'test -e /var/lib/sdi/device.crt'
        guest 'sdictl key certificate' >SN19842256.crt
        encrypt "$QEMU/first-power-on/SN19842256.cfg" >tftp/SN19842256.enc
        server ../first-power-on/dnsmasq.conf
        guest_waits 'test -e /var/lib/sdi/provisioned'
}
