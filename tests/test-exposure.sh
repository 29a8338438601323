#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How much of the system systemd finds exposed to our services, in tenths: the agent, the directory and sdi-enroll speak to the network,
# sdi-unwrap to nobody; the units that make and remove keys are root's.

set -eu

exposure() {
        systemd-analyze security --offline=yes --threshold="$2" --no-pager "$BUILD/units/$1.service" >exposure.log || {
                tail -n 1 exposure.log
                exit 1
        }
}

cd "$(mktemp -d)"
exposure sdi-agent 22
exposure sdi-unwrap 10
exposure sdi-directory 20
exposure sdi-enroll 20
for name in sdi-key sdi-factory-reset sdi-factory-reset-finish; do
        exposure $name 40
        # A command that is exempt from the sandbox, as "+" has it, counts for nothing: none that speaks to the TPM is.
        [ "$(grep -c '^ExecStart=/' "$BUILD/units/$name.service")" -eq "$(grep -c '^ExecStart=' "$BUILD/units/$name.service")" ]
done
if (exposure sdi-agent 5); then
        echo "systemd-analyze finds nothing ever too much"
        exit 1
fi
rm -r "$PWD"
