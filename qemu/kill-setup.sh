# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Run in the switch: a loader that waits where it is told to, and no waits but those.
set -e
mkdir -p /run/lab /srv/lab /etc/sdi/sdi.conf.d
mkfifo /run/lab/gate
cat >/run/lab/loader <<'EOF'
#!/bin/sh
[ ! -e /run/lab/stop-at-$1 ] || { rm /run/lab/stop-at-$1; touch /run/lab/at-$1; read -r _ </run/lab/gate; }
[ "$1" = commit ] || exec cat >/dev/null
cat >/srv/lab/configuration.new
mv /srv/lab/configuration.new /srv/lab/configuration
EOF
chmod 755 /run/lab/loader
cat >/etc/sdi/sdi.conf.d/zz-lab.conf <<'EOF'
[Load]
Loader=/run/lab/loader
[Retry]
Interval=1s
Jitter=0%
EOF

mkdir -p /run/systemd/system/sdi-agent.service.d
printf '[Service]\nRestartSec=100ms\n' >/run/systemd/system/sdi-agent.service.d/soon.conf
systemctl daemon-reload

# tpm_handles FIRST: how many handles of that kind the TPM holds, by TPM2_GetCapability.
cat >/run/lab/tpm_handles <<'EOF'
#!/bin/bash
exec 3<>/dev/tpm0
printf "\x80\x01\x00\x00\x00\x16\x00\x00\x01\x7a\x00\x00\x00\x01\\x$1\x00\x00\x00\x00\x00\x00\x40" >&3
read -ra answer < <(dd bs=4096 count=1 status=none <&3 | od -An -tu1 -v -w64)
[ "${answer[*]:6:4}" = "0 0 0 0" ] || exit 1
echo $((answer[15] << 24 | answer[16] << 16 | answer[17] << 8 | answer[18]))
EOF
chmod 755 /run/lab/tpm_handles
