# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scenarios in which packages come and go, sourced after lib.sh: afterwards a switch is up that has them in /root.
#
#   ours_are STATE   waits until what of ours runs or listens is in that state

debs=$("${QEMU%/*}/tests/debs")
commands=()
for deb in "$debs"/sdi-{agent,enroll,loaders}_*.deb; do
        commands+=("write $deb /root/${deb##*/}")
done
new_switch "${commands[@]}"

ours_are() {
        guest_waits "[ \"\$(systemctl is-active sdi-agent.service sdi-load.socket sdi-unwrap.socket | sort -u)\" = $1 ]"
}

cable port0 192.0.2.1/24
step 'A switch is powered on.'
NOS=no
power_on port0
ours_are active
