# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the tests of the vendor's and the operator's side, after netns.sh or tpm.sh.
#
#   make_ca NAME                        $WORK/NAME.crt and NAME.key
#   make_certificate NAME CA SUBJECT EXTENSIONS [OPTION...]   one signed by it; OPTIONs are for `openssl x509`
#   make_device KIND IDENTIFIER FILE    FILE.key and FILE.crt, self-signed as a device does it; KIND is rsa2048, rsa3072, p256, p384
#   fingerprint FILE                    of a certificate's key, as sdi-wrap and sdictl print it
#   ${expired[@]}                       the options of `openssl x509` for a certificate that has expired
#   refused STATUS TEXT COMMAND...      it ends with STATUS, and says TEXT (in $WORK/said)
#   said TEXT                           the last command that was refused has said it

make_ca() {
        openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/$1.key"
        openssl req -x509 -new -key "$WORK/$1.key" -subj "/CN=$1" -days 3650 -out "$WORK/$1.crt" \
                -addext keyUsage=critical,keyCertSign -addext basicConstraints=critical,CA:TRUE
}

make_certificate() {
        local name=$1 ca=$2 subject=$3 extensions=$4

        shift 4
        openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/$name.key"
        openssl req -new -key "$WORK/$name.key" -subj "$subject" |
                openssl x509 -req -CA "$WORK/$ca.crt" -CAkey "$WORK/$ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 365 \
                        -extfile <(printf '%b' "$extensions") -out "$WORK/$name.crt" "$@" 2>>"$WORK/openssl.log"
}

make_device() {
        local usage

        case $1 in
        rsa*) openssl genrsa -out "$3.key" "${1#rsa}" 2>>"$WORK/openssl.log" && usage=keyEncipherment ;;
        p256) openssl ecparam -name prime256v1 -genkey -noout -out "$3.key" && usage=keyAgreement ;;
        p384) openssl ecparam -name secp384r1 -genkey -noout -out "$3.key" && usage=keyAgreement ;;
        esac
        openssl req -x509 -new -key "$3.key" -subj "/CN=$2" -days 3650 -out "$3.crt" -addext "keyUsage=critical,$usage"
}

# OpenSSL 3.4 takes dates; from then on it refuses a negative number of days.
expired=(-days -1)
openssl x509 -help 2>&1 | grep -q -- -not_after && expired=(-not_before 20260101000000Z -not_after 20260102000000Z)

fingerprint() {
        openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1
}

refused() {
        local status=$1 text=$2

        shift 2
        expect_status "$status" "$@" >"$WORK/output" 2>"$WORK/said"
        said "$text"
}

said() {
        grep -qF -- "$1" "$WORK/said" || fail "\"$1\" is not in: $(cat "$WORK/said")"
}
