# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scenarios in which a configuration is refused, sourced after lib.sh.
#
#   waits_for_configuration   powers the switch on, which takes encrypted configurations only and does not try again by itself
#   offer                     what is on standard input is on the server, and the switch tries
#   refused REASON            it is refused for that, in one line of the journal and in the status, and nothing_has_changed, a function of the
#                             scenario
#   $good                     a good configuration

good=$QEMU/first-power-on/SN19842256.cfg

waits_for_configuration() {
        power_on port0
        guest_waits 'test -e /var/lib/sdi/device.crt'
        guest 'sdictl key certificate' >SN19842256.crt
        set_up <<'EOF'
[Install]
EncryptedOnly=yes
[Retry]
Interval=2min
EOF
}

offer() {
        cat >file
        mv file tftp/SN19842256.enc
        guest 'systemctl restart sdi-agent'
}

refused() {
        guest_waits "has /run/sdi/agent/status.json ${1@Q}"
        guest_waits "journalctl --boot --output=cat --identifier=sdi-agent | grep -F 'No configuration yet' | grep -F ${1@Q}"
        guest "journalctl --boot --output=cat --identifier=sdi-agent | grep -F 'No configuration yet' | grep -F ${1@Q}" >lines
        sed 's/^/            /' lines
        [ "$(wc -l <lines)" -eq 1 ] || fail 'it is told more than once'
        nothing_has_changed
        guest '! test -e /var/lib/sdi/provisioned' || fail 'it counts as provisioned'
}
