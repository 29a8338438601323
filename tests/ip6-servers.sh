# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced after tests/netns.sh, before `connect`; the line must have a carrier when they start: routers and DHCPv6 servers that are in use, on srv0 in the namespace `server`.
#
#   start_router [SETTING...]   radvd, $pid_router; `stop router` ends it, and it says so to its hosts. Settings:
#     managed, other     the flags M and O
#     prefix=PREFIX      2001:db8:0:1::/64 by default; again for more of them; each may have ,SETTING=VALUE... of radvd's behind it
#     dns=ADDRESS        RDNSS
#     domain=NAME        DNSSL
#     lifetime=SECONDS   as a default router
#   start_dhcp6 KIND [SETTING...]   KIND: dnsmasq, kea or isc; $pid_dhcp6, `stop dhcp6` ends it. Settings:
#     stateless          gives everything but addresses
#     short              leases of 30 s, to be renewed after 5 s (dnsmasq: 2 min, after a minute)
#     ra                 dnsmasq: is the router as well
#     url=URL            option 59
#     dns=ADDRESS        option 23
#     domain=NAME        option 24
#
# Addresses come from 2001:db8:0:1::/64. The server's own there is 2001:db8:0:1::1; 2001:db8:ffff::1 is behind it, as the Internet is
# behind a router.

mkdir -p /run/leases /run/kea /var/lib/kea # systemd makes the last one for Kea

# The secret of stable addresses; and networkd is not without one. The box has none.
[ -s /etc/machine-id ] || echo 5d1a0000000000000000000000008415 >/etc/machine-id

# The server's own addresses are not to be waited for.
in_server sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=1
# The kernel of the device stays out of it, where a test does not want it in.
sysctl -qw net.ipv6.conf.default.accept_ra=0

add_server_addresses() {
        ip -n server addr replace 2001:db8:0:1::1/64 dev srv0
        ip -n server addr replace 2001:db8:ffff::1/128 dev lo
}

# With a carrier: before, the kernel would not let a server speak.
server_can_speak() {
        ip -n server -6 -o addr show dev srv0 scope link | grep -q . && ! ip -n server -6 -o addr show dev srv0 tentative | grep -q .
}

start_router() {
        local managed='' other='' lifetime=1800 dns='' domain='' prefix prefixes=() setting

        wait_for 5 server_can_speak
        for setting in "$@"; do
                case $setting in
                prefix=*) prefixes+=("${setting#prefix=}") ;;
                *=*) declare "$setting" ;;
                *) declare "$setting=on" ;;
                esac
        done
        {
                echo "interface srv0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; MinDelayBetweenRAs 3;"
                echo "AdvManagedFlag ${managed:-off}; AdvOtherConfigFlag ${other:-off}; AdvDefaultLifetime $lifetime;"
                for prefix in "${prefixes[@]:-2001:db8:0:1::/64}"; do
                        echo "prefix ${prefix%%,*} { "
                        # shellcheck disable=SC2020 # each of the two characters
                        [[ $prefix != *,* ]] || tr ',=' '\n ' <<<"${prefix#*,}" | sed 's/$/;/'
                        echo "};"
                done
                [ -z "$dns" ] || echo "RDNSS $dns { };"
                [ -z "$domain" ] || echo "DNSSL $domain { };"
                echo "};"
        } >"$WORK/radvd.conf"
        start router in_server radvd --nodaemon --logmethod=stderr --debug=1 --config="$WORK/radvd.conf" --pidfile=/run/radvd.pid
        wait_for 5 grep -q polling "$WORK/router.log"
}

start_dhcp6() {
        local kind=$1 stateless='' short='' ra='' url='' dns='' domain='' setting

        wait_for 5 server_can_speak
        shift
        for setting in "$@"; do
                [[ $setting = *=* ]] || setting+='=1'
                declare "$setting"
        done
        "run6_$kind"
}

run6_dnsmasq() {
        local options=() range=2001:db8:0:1::100,2001:db8:0:1::1ff,64,1h

        [ -z "$short" ] || range=${range%1h}2m
        [ -z "$stateless" ] || range=2001:db8:0:1::,static
        [ -z "$stateless" ] || [ -z "$ra" ] || range=2001:db8:0:1::,ra-stateless
        [ -z "$ra" ] || options+=(--enable-ra)
        [ -z "$url" ] || options+=("--dhcp-option=option6:59,$url")
        [ -z "$dns" ] || options+=("--dhcp-option=option6:dns-server,[$dns]")
        [ -z "$domain" ] || options+=("--dhcp-option=option6:domain-search,$domain")
        start dhcp6 in_server dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --user=root --log-facility=- --log-dhcp \
                --pid-file --interface=srv0 --dhcp-range="$range" --dhcp-leasefile=/run/leases/dnsmasq6 --dhcp-authoritative "${options[@]}"
        wait_for 5 grep -q started "$WORK/dhcp6.log"
}

run6_isc() {
        {
                printf '%s;\n' 'authoritative' "default-lease-time ${short:+30}${short:-3600}" 'option dhcp6.bootfile-url code 59 = text'
                [ -z "$short" ] || printf '%s;\n' 'option dhcp-renewal-time 5' 'option dhcp-rebinding-time 10' 'preferred-lifetime 20'
                [ -z "$url" ] || echo "option dhcp6.bootfile-url \"$url\";"
                [ -z "$dns" ] || echo "option dhcp6.name-servers $dns;"
                [ -z "$domain" ] || echo "option dhcp6.domain-search \"$domain\";"
                echo "subnet6 2001:db8:0:1::/64 {"
                [ -n "$stateless" ] || echo "range6 2001:db8:0:1::200 2001:db8:0:1::2ff;"
                echo "}"
        } | sed 's/301;/30;/' >"$WORK/dhcpd6.conf"
        [ -e /run/leases/isc6 ] || : >/run/leases/isc6
        start dhcp6 in_server dhcpd -6 -f -d -cf "$WORK/dhcpd6.conf" -lf /run/leases/isc6 -pf "$WORK/dhcpd6.pid" srv0
        wait_for 5 grep -q 'Server starting service' "$WORK/dhcp6.log"
}

run6_kea() {
        gojq -n --arg short "$short" --arg stateless "$stateless" --arg url "$url" --arg dns "$dns" --arg domain "$domain" '
        {Dhcp6: ({
                "interfaces-config": {interfaces: ["srv0"]},
                "lease-database": {type: "memfile", name: "/run/leases/kea6", "lfc-interval": 0},
                "option-data": ([
                        if $url != "" then {name: "bootfile-url", data: $url} else empty end,
                        if $dns != "" then {name: "dns-servers", data: $dns} else empty end,
                        if $domain != "" then {name: "domain-search", data: $domain} else empty end]),
                subnet6: [{id: 1, subnet: "2001:db8:0:1::/64", interface: "srv0", "rapid-commit": true,
                        pools: (if $stateless != "" then [] else [{pool: "2001:db8:0:1::300 - 2001:db8:0:1::3ff"}] end)}],
                loggers: [{name: "kea-dhcp6", severity: "INFO", output_options: [{output: "stdout"}]}]}
                + if $short != "" then {"renew-timer": 5, "rebind-timer": 10, "preferred-lifetime": 20, "valid-lifetime": 30} else {} end)}' \
                >"$WORK/kea6.conf"
        start dhcp6 in_server env KEA_LOCKFILE_DIR=/run/kea KEA_PIDFILE_DIR=/run/kea KEA_DHCP_DATA_DIR=/run/leases kea-dhcp6 -c "$WORK/kea6.conf"
        wait_for 10 grep -q DHCP6_STARTED "$WORK/dhcp6.log"
}
