# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scenarios in which a switch changes hands, sourced after lib.sh and $NOS: without FRR the switch has the loader `file`.
# Afterwards its first owner has provisioned it.
#
#   owner NAME ROUTE          puts his configuration on the TFTP server
#   provisioned NAME [OTHER]  waits until the switch has that owner's configuration; it has nothing of OTHER's, and its key is the one it had
#   operator_key              the owner gives it a key of his own, which goes with him
#   no_operator_key           it has none

owner() {
        printf '%s\n' "ip route $2 blackhole" '!' 'router bgp 65001' ' neighbor 192.0.2.1 remote-as 65002' \
                " neighbor 192.0.2.1 password secret-of-$1" exit >"$1.cfg"
        encrypt "$1.cfg" >tftp/SN19842256.enc
}

provisioned() {
        on_record tftp/SN19842256.enc
        if [ "$NOS" = yes ]; then
                runs_frr "$1.cfg"
        else
                has_loaded "$1.cfg"
        fi
        [ -z "${2-}" ] || ! guest "grep -rl secret-of-$2 /etc /root /var /run --exclude-dir=lab" || fail "there is something of $2's"
        guest 'sdictl key certificate' | cmp - SN19842256.crt || fail 'the key of the device is another one'
}

operator_key() {
        guest 'sdictl key create --slot=operator --type=p256 >/dev/null
        sdictl key list --json | grep -c "\"ready\": true"' >keys
        [ "$(cat keys)" -eq 2 ] || fail 'there is no key of the operator'
}

no_operator_key() {
        [ "$(guest 'sdictl key list --json | grep "\"slot\":"')" = '    "slot": "device",' ] || fail "the operator's key is still there"
}

cable port0 192.0.2.1/24
[ "$NOS" = yes ] || new_switch_without_nos
step 'A switch is powered on; its first owner provisions it, and gives it a key of his own.'
power_on port0
guest_waits 'test -e /var/lib/sdi/device.crt'
guest 'sdictl key certificate' >SN19842256.crt
owner first 198.51.100.0/24
server ../factory-reset/dnsmasq.conf
provisioned first
operator_key
