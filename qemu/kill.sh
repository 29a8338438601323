# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scenarios in which a program is killed at a stage of its work, sourced after lib.sh: afterwards there are a switch that has its
# key, and its server.
#
#   offer BYTES                          a configuration of about that size is on the server
#   kill_at WHOM CONDITION [STOP-AT]     kills the program when that is so in the switch, at a loader that stops there; the switch provisions
#                                        itself all the same, and nothing is left behind
#   has_state NAME VALUE                 for a condition: the status has that

cable port0 192.0.2.1/24
NOS=no
step 'A switch is powered on.'
power_on port0
guest_waits 'test -e /var/lib/sdi/device.crt'
guest 'systemctl stop sdi-agent'
guest 'sdictl key certificate' >SN19842256.crt
guest "$(cat "$QEMU/kill-setup.sh")"
guest '/run/lab/tpm_handles 81' >persistent
[ "$(cat persistent)" -eq 1 ] || fail 'the handles of the TPM cannot be counted'

offer() {
        {
                head -c "$1" /dev/urandom | base64
                echo end
        } >SN19842256.cfg
        encrypt SN19842256.cfg >tftp/SN19842256.enc
}

offer 50000
server ../first-power-on/dnsmasq.conf

nothing_is_left() {
        guest 'ip -o address show scope global; ip route show table all proto 88; ip -6 route show table all proto 88; ip rule | grep "proto 88"; ip -6 rule | grep "proto 88"; ls /run/sdi/agent/addresses' 2>/dev/null >left || :
        sed -i '/No such file/d' left
        guest 'ls -A /run/sdi /run/sdi/agent /srv/lab /var/lib/sdi' >files
        [ ! -s left ] || { cat left; fail 'something is left in the network'; }
        printf '%s\n' /run/sdi: agent identity.json load-root.sock load.sock lock sdi.conf.d unwrap-root.sock unwrap.sock '' /run/sdi/agent: status.json '' /srv/lab: configuration '' \
                /var/lib/sdi: device.crt provisioned | diff - files || fail 'files are left'
        # Transient objects, loaded and saved sessions; the persistent key stays.
        [ "$(guest 'for kind in 80 02 03; do /run/lab/tpm_handles $kind; done' | tr -d '\n')" = 000 ] || fail 'something is left in the TPM'
        guest '/run/lab/tpm_handles 81' | cmp - persistent || fail 'a persistent key has come or gone'
}

kill_at() {
        guest 'rm -f /run/lab/at-* /run/lab/stop-at-* /srv/lab/configuration* /var/lib/sdi/provisioned /run/sdi/agent/status.json'
        [ -z "${3-}" ] || guest "touch /run/lab/stop-at-$3"
        guest 'systemctl restart --no-block sdi-agent'
        # It may not live for long, and be missed: then all of it once more.
        guest "until $2 && pkill -KILL -x $1; do
                [ ! -e /var/lib/sdi/provisioned ] || { rm /var/lib/sdi/provisioned; systemctl restart --no-block sdi-agent; }
                pause 0.1
        done >/dev/null 2>&1"
        kill -CONT "$pid_dnsmasq"
        guest 'timeout 1 sh -c "echo >/run/lab/gate" 2>/dev/null' || :
        guest_waits 'test -e /var/lib/sdi/provisioned'
        at_rest
        [ "$(guest 'sha256sum </srv/lab/configuration')" = "$(sha256sum <SN19842256.cfg)" ] || fail 'the configuration is not what the operator wrote'
        nothing_is_left
        step "    provisioned, and nothing is left"
}

has_state() {
        echo "has /run/sdi/agent/status.json '\"$1\": $2'"
}
