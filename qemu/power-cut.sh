# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the scenarios in which the plug is pulled at random moments, sourced after lib.sh and $NOS, with the number of cuts: without FRR the
# switch has the loader `file`. Afterwards there are $rounds, a switch as it is when `new` (see take), and the configurations `none`,
# `first` and `second` (see serve).
#
# What the kernel of the switch has not written to its disk when the plug is pulled is lost. What it has written is not, flushed or not:
# QEMU's nvme ignores FUA, with which ext4 ends a commit, so that a disk of QEMU's that forgot what is not flushed would forget commits.

# take NAME: the switch is as it was kept under that name.
take() {
        rm -rf tpm
        cp "$1-disk" disk
        cp -a "$1-tpm" tpm
}

# keep NAME: as it is now, for take.
keep() {
        cp disk "$1-disk"
        cp -a tpm "$1-tpm"
}

# What is on the disk, after what the next boot would do first: replay the journal of the file system.
look() {
        local file

        rm -rf seen
        mkdir seen
        : >seen/configuration # where there is none
        cp disk flat
        e2fsck -p flat >e2fsck.log 2>&1 || [ $? -eq 1 ] || fail "the file system is damaged: $(cat e2fsck.log)"
        for file in provisioned factory-reset device.crt; do
                debugfs -R "dump /var/lib/sdi/$file seen/$file" flat 2>>debugfs.log
        done
        debugfs -R "dump $loaded seen/configuration" flat 2>>debugfs.log
}

# holds NAME: on the disk is just that configuration.
holds() {
        cmp -s seen/configuration "$1.cfg"
}

# has_record NAME: on record is that one.
has_record() {
        [ "$(gojq -r .sha256 seen/provisioned)" = "$(sha256sum <"$1.enc" | cut -d' ' -f1)" ]
}

# judge OLD NEW: prints what the switch is: "new", "old", or "between", where it is to go on; fails the test when it is none of them.
judge() {
        [ ! -e seen/device.crt ] || cmp -s seen/device.crt SN19842256.crt || fail 'the certificate is another one'
        if [ ! -e seen/provisioned ]; then
                holds none || { holds "$2" && [ ! -e seen/factory-reset ]; } ||
                        fail "waiting, with neither the configuration of the factory nor $2"
                echo between
        elif has_record "$2"; then
                holds "$2" && [ ! -e seen/factory-reset ] || fail "provisioned with $2, and has another configuration"
                echo new
        elif has_record "$1" && [ -e seen/factory-reset ]; then
                holds "$1" || holds none || fail "being reset, with neither $1 nor the configuration of the factory"
                echo between
        else
                has_record "$1" && holds "$1" || fail "on record is neither $1 nor $2"
                echo old
        fi
}

rounds=$1

# pull_plug OLD NEW: pulls the plug; $state is then what judge() says.
pull_plug() {
        power_cut
        look
        judge "$1" "$2" >judged
        state=$(cat judged)
}

# cut_once OLD NEW: pulls the plug before $span has passed, in each $rounds-th of it once; $n is the number of cuts, of which ${cuts[STATE]} ended so.
n=0
state=new
declare -A cuts=([new]=0 [between]=0 [old]=0)
mapfile -t parts < <(shuf -i 0-$((rounds - 1)))
cut_once() {
        local seconds timer

        seconds=$(awk -v span="$span" -v rounds="$rounds" -v part="${parts[n]}" -v random="$RANDOM" \
                'BEGIN { printf "%.3f", span * (part + random / 32768) / rounds }')
        sleep "$seconds" &
        timer=$!
        while kill -0 $timer 2>/dev/null; do
                wait -n $timer "$pid_qemu" || :
                kill -0 "$pid_qemu" 2>/dev/null || reboots_unseen
        done
        pull_plug "$1" "$2"
        n=$((n + 1))
        cuts[$state]=$((cuts[$state] + 1))
}

# goes_on: whether the next power-on is that of the switch whose plug was pulled, by chance: what comes first is to be cut as often as what comes last.
goes_on() {
        [ "$state" = between ] && [ $((RANDOM % 2)) -eq 0 ]
}

# The reset ends with a reboot, for which QEMU ends.
reboots_unseen() {
        wait "$pid_swtpm"
        plug_in port0
}

# left_alone NAME: powered on and left alone, the switch provisions itself with that one. $span is the seconds that this took, and a tenth more.
left_alone() {
        local begun=$EPOCHREALTIME

        power_on port0
        on_record "$1.enc"
        span=$(awk "BEGIN { print 1.1 * ($EPOCHREALTIME - $begun) }")
}

# complete OLD NEW: left alone, the switch ends with the new one.
complete() {
        left_alone "$2"
        [ "$NOS" = no ] || runs_frr "$2.cfg"
        guest 'sdictl key show' | grep -qx 'State:       ready' || fail 'the key of the device is not ready'
        pull_plug "$1" "$2"
        [ "$state" = new ] || fail 'not provisioned with the new one'
}

# serve NAME: that one is on the TFTP server.
serve() {
        cp "$1.enc" tftp/SN19842256.enc
}

cable port0 192.0.2.1/24
server ../factory-reset/dnsmasq.conf

# Its key, and then a TPM as new: to make the same key is the switch's first task.
cat >maker.conf <<EOF
[Identity]
Source=file
File=$WORK/serial
[Key]
TCTI=swtpm:path=$WORK/off.sock
EOF
echo SN19842256 >serial
case $NOS in
yes)
        new_switch
        loaded=/etc/frr/frr.conf
        ;;
no)
        new_switch_without_nos
        loaded=$FILE_LOADED
        ;;
esac
mkdir state
STATE_DIRECTORY=$WORK/state with_tpm "$BUILD/agent/sdictl" --config=maker.conf key create >/dev/null
mv state/device.crt SN19842256.crt
with_tpm tpm2_clear -c platform
: >none.cfg
echo 'ip route 198.51.100.0/24 blackhole' >first.cfg
echo 'ip route 203.0.113.0/24 blackhole' >second.cfg
for name in none first second; do
        encrypt $name.cfg >$name.enc
done
mv disk new-disk
mv tpm new-tpm

# cut_first_power_on: between power-on and provisioned. How long that takes is not known before the first cut.
cut_first_power_on() {
        step 'A switch is powered on, and its plug pulled within 10 s.'
        serve first
        span=10
        take new
        plug_in port0
        cut_once none first
        [ "$state" != new ] || take new
        step 'Left alone afterwards, it provisions itself.'
        complete none first
        step "Again, with power cuts within $span s."
        while [ "$n" -lt "$rounds" ]; do
                goes_on || take new
                plug_in port0
                cut_once none first
        done
        step "    $n cuts: ${cuts[new]} when it was provisioned, ${cuts[between]} before."
}
