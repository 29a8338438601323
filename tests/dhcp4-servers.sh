# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced after tests/netns.sh: the DHCP servers that are in use, each on the bridge srv0 of the namespace `server`.
#
#   start_dhcp NAME KIND [SETTING...]   KIND: dnsmasq, kea or isc. `stop NAME` ends it. They remember their leases in
#                  /run/leases, so that one of the same kind goes on where another one has ended. Settings:
#     address=ADDRESS    its own, 192.0.2.1 by default, set on srv0
#     network=PREFIX     the first three bytes of the network that it serves, 192.0.2 by default
#     router=ADDRESS     its own by default
#     rapid              rapid commit (RFC 4039), where it has that
#     long               a file name that needs two options (RFC 3396)
#     full               more options than fit into 576 bytes
#     bare               names neither a configuration server nor a file, but for siaddr
#   has_released KIND NAME, has_declined KIND NAME   what it has logged
#
# A lease is to be renewed after 5 s and rebound after 8 s; it ends after 15 s, dnsmasq's after 2 min, which is its least.

mkdir /run/leases /run/kea
ROUTES=$(for i in {1..8}; do printf ',10.%d.0.0/16,192.0.2.1' "$i"; done)
DOMAIN=$(printf 'a-rather-long-label-%d.' {1..6})example

start_dhcp() {
        local name=$1 kind=$2 address=192.0.2.1 network=192.0.2 router='' rapid='' long='' full='' bare='' file=configs/ setting

        shift 2
        for setting in "$@"; do
                [[ $setting = *=* ]] || setting+='=1'
                declare "$setting"
        done
        router=${router:-$address}
        ip -n server addr replace "$address/24" dev srv0
        [ -z "$long" ] || file=$(printf 'folder-%02d/' {1..30})switch.enc
        "run_$kind"
}

run_dnsmasq() {
        local options=(--dhcp-option=option:T1,5s --dhcp-option=option:T2,8s --dhcp-option=option:router,"$router")

        [ -n "$bare" ] || options+=(--dhcp-option=150,192.0.2.4,192.0.2.5 --dhcp-option=66,192.0.2.3 --dhcp-option=67,"$file")
        [ -z "$full" ] || options+=(--dhcp-option=121"$ROUTES" --domain="$DOMAIN" --dhcp-option=43,"$(printf 'vendor-%02d ' {1..20})")
        start "$name" in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --log-facility=- --log-dhcp \
                --pid-file --interface=srv0 --dhcp-authoritative --no-ping ${rapid:+--dhcp-rapid-commit} \
                --dhcp-range="$network.10,$network.99,255.255.255.0,2m" --dhcp-leasefile="/run/leases/dnsmasq" "${options[@]}"
        wait_for 5 grep -q started "$WORK/$name.log"
}

# As in dhcpd.conf, a network as decimal bytes: "16,10.1.0.0/16,192.0.2.1" is "16, 10,1, 192,0,2,1".
routes_as_bytes() {
        tr , '\n' <<<"${ROUTES#,}" | sed -nE 's|^10\.([0-9]+)\.0\.0/16$|16, 10, \1, 192, 0, 2, 1|p' | paste -sd,
}

run_isc() {
        {
                printf '%s;\n' 'authoritative' 'ping-check false' 'default-lease-time 15' 'max-lease-time 15' \
                        'option tftp-servers code 150 = array of ip-address' 'option routes code 121 = array of unsigned integer 8' \
                        'option dhcp-renewal-time 5' 'option dhcp-rebinding-time 8'
                [ "$network" = "${address%.*}" ] || echo "subnet ${address%.*}.0 netmask 255.255.255.0 { }"
                echo "subnet $network.0 netmask 255.255.255.0 {"
                printf '%s;\n' "range $network.10 $network.99" "option routers $router"
                [ -n "$bare" ] || printf '%s;\n' "option tftp-servers 192.0.2.4, 192.0.2.5" 'option tftp-server-name "192.0.2.3"' \
                        "option bootfile-name \"$file\""
                [ -z "$full" ] || printf '%s;\n' "option routes $(routes_as_bytes)" "option domain-name \"$DOMAIN\"" \
                        "option vendor-encapsulated-options $(printf '01:%02x:' {1..20} | sed 's/:[^:]*:$/:00/')"
                echo "}"
        } >"$WORK/dhcpd.conf"
        [ -e "/run/leases/isc" ] || : >"/run/leases/isc"
        start "$name" in_server dhcpd -4 -f -d -cf "$WORK/dhcpd.conf" -lf "/run/leases/isc" -pf "$WORK/dhcpd.pid" srv0
        wait_for 5 grep -q 'Server starting service' "$WORK/$name.log"
}

run_kea() {
        gojq -n --arg address "$address" --arg network "$network" --arg router "$router" --arg file "$file" --arg bare "$bare" \
                --arg full "$full" --arg domain "$DOMAIN" '
        {Dhcp4: {
                "interfaces-config": {interfaces: ["srv0/\($address)"]},
                "lease-database": {type: "memfile", name: "/run/leases/kea", "lfc-interval": 0},
                authoritative: true, "renew-timer": 5, "rebind-timer": 8, "valid-lifetime": 15,
                "option-def": [{name: "tftp-servers", code: 150, type: "ipv4-address", array: true}],
                "option-data": (
                        [{name: "routers", data: $router}]
                        + if $bare == "" then [{name: "tftp-servers", data: "192.0.2.4, 192.0.2.5"},
                                {name: "tftp-server-name", data: "192.0.2.3"}, {name: "boot-file-name", data: $file}] else [] end
                        + if $full == "" then [] else [{name: "domain-name", data: $domain},
                                {name: "vendor-encapsulated-options", "csv-format": false, data: ([range(100) | "0100"] | add)}] end),
                subnet4: [{id: 1, subnet: "\($network).0/24", pools: [{pool: "\($network).10 - \($network).99"}]}],
                loggers: [{name: "kea-dhcp4", severity: "INFO", output_options: [{output: "stdout"}]}]}}' >"$WORK/kea.conf"
        start "$name" in_server env KEA_LOCKFILE_DIR=/run/kea KEA_PIDFILE_DIR=/run/kea KEA_DHCP_DATA_DIR=/run/leases kea-dhcp4 -c "$WORK/kea.conf"
        wait_for 10 grep -q DHCP4_STARTED "$WORK/$name.log"
}

has_logged() {
        case $1 in
        dnsmasq) grep -q "DHCP$3(srv0)" "$WORK/$2.log" ;;
        isc) grep -q "^DHCP$3 of" "$WORK/$2.log" ;;
        kea) grep -qE "DHCP4_$3(_LEASE)? " "$WORK/$2.log" ;;
        esac
}

has_released() {
        has_logged "$1" "$2" RELEASE
}

has_declined() {
        has_logged "$1" "$2" DECLINE
}
