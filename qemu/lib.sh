# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced first by each scenario's `play`: a switch in QEMU with a TPM, and the network that it is plugged into. It stands on
# tests/netns.sh, whose $WORK, start, stop, wait_for and fail are there too, and runs in the box (tests/box).
#
#   step TEXT...        tells the person who watches what happens now, and when that is
#   cable PORT ADDRESS  the far end of a cable, in the server's namespace
#   server CONFIG       dnsmasq with CONFIG, from the scenario's folder, on all cables; its TFTP folder is $WORK/tftp
#   new_switch [COMMAND...]
#                       makes a disk as it leaves the vendor, and a TPM if there is none, and changes what is on the disk by debugfs' commands
#   new_switch_without_nos
#                       the same with NOS=no and the loader `file`: a configuration becomes $FILE_LOADED
#   has_loaded FILE     that has become just this file
#   power_on [PORT...]  boots the switch, plugged into these cables in this order
#   plug_in [PORT...]   the same, and does not wait until it is up
#   goes_down           waits until a switch that reboots is down, to be powered on again, or one that switches itself off is off
#   power_off           shuts it down
#   power_cut           pulls its plug
#   with_tpm COMMAND... runs COMMAND with the TPM of a switch that is off, at $TPM2TOOLS_TCTI
#   guest SCRIPT        runs SCRIPT in the switch: its output, its exit status
#   guest_waits SCRIPT  waits in the switch until SCRIPT succeeds
#   on_record FILE      waits until the switch is provisioned with that file, as it was on the server
#   at_rest             waits until our programs have ended in a switch that is provisioned, and have cleaned up
#   units               all that systemd in the switch knows, but for the devices, and what it does with each
#   encrypt FILE [CERTIFICATE...]
#                       as an operator does, for $SERIAL.crt or these certificates
#   on_disk TEXT        how often the disk has the text
#   runs_frr FILE       FRR in the switch runs just that configuration; what it runs is then in running.cfg
#   set_up              gives the switch, until its power-off, the sdi.conf on standard input beside what it has, and starts the agent anew
#   rounds DEFAULT [--rounds N]
#                       how many there are to be, by a scenario's own arguments
#   tell_each_attempt   from its next start on the agent has a line in the journal for each attempt, not for the first of a kind only
#
# Set before power_on: NOS=no for a boot to our programs and not to FRR; ROOT=ro for a root file system that is mounted read-only;
# TPM=no for a switch without a TPM; and MORE_OPTIONS, an array, for QEMU. Set before this is sourced: ARCH=arm64 for a switch with an
# ARM processor, which is always emulated.
#
# The first power_on takes a new switch, if there is none. Its disk and its TPM keep what is in them until the scenario ends.

set -euo pipefail

SCENARIO=$(cd "$(dirname "$0")" && pwd)
QEMU=${SCENARIO%/*}
SERIAL=SN19842256
NOS=yes
ROOT=rw
TPM=yes
MORE_OPTIONS=()
export ARCH=${ARCH-amd64}
ANSWER_SECONDS=480 # a boot to FRR takes 11 s on an idle core without KVM, and has taken 80 s on a busy one

export TMPDIR=${QEMU%/*}/.cache/lab
mkdir -p "$TMPDIR"
. "${QEMU%/*}/tests/netns.sh"

# What a person needs to see why: the command, and what the switch has to say.
set -o errtrace
trap 'echo "FAILED: ${BASH_SOURCE##*/}:$LINENO: $BASH_COMMAND" >&2' ERR
leave() {
        local status=$?

        trap - EXIT ERR
        set +e
        [ "$status" -eq 0 ] || [ ! -e console.log ] || {
                ANSWER_SECONDS=5
                guest 'journalctl --boot --no-hostname --output=short-monotonic --no-pager' >"$WORK/journal.log"
        }
        [ "$status" -ne 0 ] || [ ! -e "/proc/${pid_qemu-none}" ] || timeline || status=$?
        [ -z "${LAB_SHELL-}" ] || console
        (exit "$status")
        finish
}
AT_EXIT=leave
set_traps

IMAGE=$("$QEMU/switch/image")
STARTED=$EPOCHREALTIME
cd "$WORK" # sockets have short paths, and options of QEMU no comma in a path
mkdir tftp

step() {
        printf '%6.1f s  %s\n' "$(awk "BEGIN { print $EPOCHREALTIME - $STARTED }")" "$*"
}

cable() {
        ip -n server tuntap add dev "$1" mode tap
        ip -n server addr add "$2" dev "$1"
        ip -n server link set "$1" up
}

server() {
        start dnsmasq ip netns exec server dnsmasq --keep-in-foreground --conf-file="$SCENARIO/$1" --log-facility=- --user=root \
                --pid-file --dhcp-leasefile=leases --tftp-root="$WORK/tftp"
}

# A /dev/kvm that is there need not work: it has to have booted our kernel up to a program from the disk, on this boot of the machine.
# Prints QEMU's options.
accelerator() {
        local verdict

        verdict=$TMPDIR/kvm-$(cat /proc/sys/kernel/random/boot_id)
        if [ ! -e "$verdict" ]; then
                [ ! -c /dev/kvm ] || timeout 10 qemu-system-x86_64 -nodefaults -no-user-config -display none -machine q35 -m 512 \
                        -accel kvm -cpu host -no-reboot -serial file:kvm.log -kernel "$IMAGE/kernel" \
                        -drive file=disk,format=raw,if=none,id=disk,snapshot=on -device nvme,drive=disk,serial=disk \
                        -append 'console=ttyS0 root=/dev/nvme0n1 init=/bin/true panic=-1' >/dev/null 2>&1 || :
                grep -qs 'exitcode=0x00000000' kvm.log && echo kvm >"$verdict" || echo tcg >"$verdict"
        fi
        case $(cat "$verdict") in
        kvm) echo -accel kvm -cpu host ;;
        *) echo -accel tcg -cpu max,-avx,-avx2 ;; # emulated, AVX is slower than what it replaces
        esac
}

# prctl(PR_SET_THP_DISABLE). QEMU asks for huge pages, and to clear them is a sixth of a boot's time: most of what is in them is not used.
small_pages=(perl -e 'syscall(157, 41, 1, 0, 0, 0) == 0 and exec @ARGV; die "$ARGV[0]: $!"')

# An ARM board has a device tree. This is QEMU's, and the serial number in it, as firmware puts it there. Who has a tree of his own
# describes the TPM himself, too; it is the only device on that bus.
device_tree() {
        qemu-system-aarch64 -nodefaults -no-user-config -display none -machine virt,dumpdtb=board.dtb -cpu cortex-a72 -m 1024 2>dumpdtb.log
        fdtput -t s board.dtb / serial-number "$SERIAL"
        fdtput -p -t s board.dtb /platform-bus@c000000/tpm@0 compatible tcg,tpm-tis-mmio
        fdtput -t x board.dtb /platform-bus@c000000/tpm@0 reg 0 5000
}

new_switch() {
        cp "$IMAGE/disk" disk
        mkdir -p tpm
        [ $# -eq 0 ] || printf '%s\n' "$@" | debugfs -w -f - disk >debugfs.log 2>&1
}

FILE_LOADED=/root/configuration
new_switch_without_nos() {
        NOS=no
        printf '[Load]\nLoader=/usr/libexec/sdi/loaders/file %s\n' "$FILE_LOADED" >file-loader.conf
        new_switch 'mkdir /etc/sdi/sdi.conf.d' 'write file-loader.conf /etc/sdi/sdi.conf.d/zz-file-loader.conf'
}

has_loaded() {
        guest "cat $FILE_LOADED" | cmp - "$1" || fail 'the configuration is not what the operator wrote'
}

power_on() {
        plug_in "$@"
        answer ready >/dev/null
}

# QEMU has ended then (-no-reboot): in one that goes on, the kernel has waited for more than a minute for the hardware.
goes_down() {
        wait "$pid_qemu" ${pid_swtpm:+"$pid_swtpm"}
}

# QEMU 7.2 leaves out the memory barriers of an emulated processor that can have no second one beside it. Its devices are other threads all
# the same: once in a thousand boots nvme missed what was in its queue.
cpus=1,maxcpus=2

plug_in() {
        local port n=0 qemu tpm options kernel="console=ttyS0 quiet root=/dev/nvme0n1 $ROOT net.ifnames=0"

        [ -e disk ] || new_switch
        case $ARCH in
        amd64)
                qemu=qemu-system-x86_64 tpm=tpm-tis
                read -ra options < <(accelerator)
                options+=(-machine q35 -smbios "type=1,manufacturer=Lab,product=Switch,serial=$SERIAL"
                        -serial chardev:console -serial chardev:control)
                ;;
        arm64)
                qemu=qemu-system-aarch64 tpm=tpm-tis-device
                device_tree
                options=(-machine virt -cpu cortex-a72 -dtb board.dtb
                        -device pci-serial,chardev=console -device pci-serial,chardev=control)
                ;;
        esac
        for port in "$@"; do # eight make a slot of the bus, which has no more than 32
                options+=(-netdev "tap,id=$port,ifname=$port,script=no,downscript=no" -device "virtio-net-pci,netdev=$port,romfile=,$(
                        printf 'multifunction=on,addr=%x.%x,mac=52:54:00:88:86:%02x' $((8 + n / 8)) $((n % 8)) $((n + 1)))")
                n=$((n + 1))
        done

        if [ "$TPM" = yes ]; then
                start swtpm swtpm socket --tpm2 --tpmstate dir=tpm --ctrl type=unixio,path=tpm.sock --terminate
                wait_for 5 test -S tpm.sock
                options+=(-chardev "socket,id=tpm,path=tpm.sock" -tpmdev "emulator,id=tpm,chardev=tpm" -device "$tpm,tpmdev=tpm")
        fi
        [ "$NOS" = yes ] || kernel+=' systemd.unit=without-nos.target'
        kernel+=' mitigations=off init_on_alloc=0 cryptomgr.notests' # emulated, they take their time
        rm -f control.in control.out
        mkfifo control.in control.out
        [ -z "${to_guest-}" ] || exec {to_guest}>&- {from_guest}>&-
        exec {to_guest}<>control.in {from_guest}<>control.out
        start qemu ip netns exec server "${small_pages[@]}" "$qemu" -nodefaults -no-user-config -no-reboot -display none -smp "$cpus" -m 1024 "${options[@]}" \
                -kernel "$IMAGE/kernel" -append "$kernel" \
                -drive "file=disk,format=raw,if=none,id=disk,cache=unsafe" -device nvme,drive=disk,serial=disk \
                "${MORE_OPTIONS[@]}" \
                -chardev socket,id=console,path=console.sock,server=on,wait=off,logfile=console.log \
                -chardev pipe,id=control,path=control
}

# answer WORD: waits for the line that begins with WORD, and prints the rest of it.
answer() {
        local word rest

        while read -r -t "$ANSWER_SECONDS" word rest <&"$from_guest"; do
                if [ "$word" = "$1" ]; then
                        printf '%s\n' "$rest"
                        return
                fi
        done
        fail 'the switch does not answer'
}

guest() {
        local number=$RANDOM$RANDOM status size

        printf '%s eval %q;\n' "$number" "$1" >&"$to_guest"
        read -r status size < <(answer "$number")
        head -c "$size" <&"$from_guest"
        return "$status"
}

guest_waits() {
        guest "waits $((ANSWER_SECONDS / 2)) ${1@Q}" || fail "in the switch, in vain: $1"
}

on_record() {
        guest_waits "has /var/lib/sdi/provisioned $(sha256sum <"$1" | cut -d' ' -f1)"
}

# A service that cleans up is deactivating; one that was killed is then activating, until systemd sees that there is nothing to do.
at_rest() {
        guest_waits '[[ $(systemctl is-active sdi-agent) =~ ^(inactive|failed|activating)$ ]] && ! pidof sdi-agent sdi-unwrap sdi-load'
}

units() {
        guest 'systemctl list-units --all --plain --no-legend --full | awk "!/\.(device|scope) / { print \$1, \$3, \$4 }"' | sort
}

encrypt() {
        [ $# -gt 1 ] || set -- "$1" $SERIAL.crt
        openssl cms -encrypt -aes-256-gcm -binary -in "$1" -outform DER "${@:2}"
}

# With lines that end in a NUL grep passes over what is empty.
on_disk() {
        { LC_ALL=C grep -azo -- "$1" disk || :; } | tr '\0' '\n' | wc -l
}

# What FRR says of itself, and its blank lines, are not of the configuration.
frr_lines() {
        sed '1,/^Current configuration:/{/^Building/,$d}' "$1" |
                grep -vE '^ *(!.*)?$|^(frr (version|defaults)|hostname|service integrated-vtysh-config|no ip(v6)? forwarding|end)\b'
}

runs_frr() {
        guest "vtysh -c 'show running-config'" >running.cfg
        diff <(frr_lines "$1") <(frr_lines running.cfg) || fail 'FRR does not run what the operator wrote'
}

set_up() {
        guest "mkdir -p /run/sdi/sdi.conf.d
cat >/run/sdi/sdi.conf.d/zz-lab.conf <<'EOF'
$(cat)
EOF
systemctl restart sdi-agent"
}

tell_each_attempt() {
        guest 'mkdir -p /run/systemd/system/sdi-agent.service.d
printf "[Service]\nExecStart=\nExecStart=/usr/libexec/sdi/sdi-agent --debug\n" >/run/systemd/system/sdi-agent.service.d/debug.conf
systemctl daemon-reload'
}

rounds() {
        case $# in
        1) echo "$1" ;;
        *) [ $# -eq 3 ] && [ "$2" = --rounds ] && [ "$3" -gt 0 ] && echo "$3" || fail "usage: ${SCENARIO##*/} [--rounds N]" ;;
        esac
}

# For a person, at the end: when the switch took which step.
timeline() {
        guest 'sdictl status --json' >"$WORK/status.json" || return
        gojq -e '.timeline | length > 1' "$WORK/status.json" >/dev/null || return 0
        guest 'sdictl status' | sed -n '/^Timeline/,$s/^/          /p'
        [ -z "${LAB_PLOT-}" ] || "$QEMU/plot" "${SCENARIO##*/}" <"$WORK/status.json" >"$LAB_PLOT"
}

# For a person, at the end. The lab's switch logs him in.
console() {
        guest 'systemctl start serial-getty@ttyS0'
        printf '\nThe console of the switch; Ctrl-] ends it, and the switch with it.\n\n'
        socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:console.sock
}

power_off() {
        guest 'systemctl poweroff' 2>/dev/null >&2
        goes_down
}

power_cut() {
        kill -KILL "$pid_qemu"
        [ "$TPM" = no ] || kill -TERM "$pid_swtpm" 2>/dev/null || : # it ends with QEMU, but not if that has not come to it yet
        wait "$pid_qemu" ${pid_swtpm:+"$pid_swtpm"} 2>/dev/null || : # bash would say that it was killed
}

with_tpm() {
        start off swtpm socket --tpm2 --tpmstate dir=tpm --flags startup-clear --server type=unixio,path=off.sock \
                --ctrl type=unixio,path=off.sock.ctrl
        wait_for 5 test -S off.sock.ctrl
        TPM2TOOLS_TCTI=swtpm:path=off.sock "$@"
        stop off
        rm -f off.sock off.sock.ctrl
}
