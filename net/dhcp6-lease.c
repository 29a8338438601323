/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp6-lease.h"

#include "base/cleanup.h"
#include "net/ip-address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As in net/dhcp4-lease.c: a server that gives seconds would have us ask it again and again. */
#define LIFETIME_MIN 10

/* RFC 8415 §21.23: IRT_DEFAULT, IRT_MINIMUM. */
#define REFRESH_TIME_DEFAULT 86400
#define REFRESH_TIME_MIN 600

/* RFC 8415 §21.24, §21.25. */
#define MAX_RT_MIN 60
#define MAX_RT_MAX 86400

DEFINE_CLEANUP(Dhcp6Lease, dhcp6_lease_free)

static const Dhcp6Ia *find_ia(const Dhcp6Message *message, uint32_t iaid) {
        for (size_t i = 0; i < message->n_ias; i++)
                if (message->ias[i].iaid == iaid)
                        return message->ias + i;
        return NULL;
}

static bool is_usable(const Dhcp6IaAddress *address) {
        return address->status == DHCP6_STATUS_SUCCESS && address->valid >= LIFETIME_MIN &&
                        address->preferred <= address->valid && ip6_is_global(&address->address);
}

static uint32_t part(uint32_t seconds, unsigned tenths) {
        return seconds == UINT32_MAX ? UINT32_MAX : (uint32_t) ((uint64_t) seconds * tenths / 10);
}

/* RFC 8415 §21.4: T1 and T2 as given where they make sense, else 0.5 and 0.8 of the shortest preferred lifetime. */
static void get_times(const Dhcp6Ia *ia, Dhcp6Lease *lease) {
        uint32_t shortest = UINT32_MAX;

        lease->lifetime = 0;
        for (size_t i = 0; i < lease->n_addresses; i++) {
                const Dhcp6IaAddress *address = lease->addresses + i;

                shortest = MIN(shortest, address->preferred > 0 ? address->preferred : address->valid);
                lease->lifetime = MAX(lease->lifetime, address->valid);
        }
        lease->t2 = ia->t2 >= LIFETIME_MIN / 2 ? ia->t2 : part(shortest, 8);
        lease->t1 = ia->t1 >= LIFETIME_MIN / 2 ? ia->t1 : part(shortest, 5);
        lease->t2 = MIN(lease->t2, lease->lifetime);
        lease->t1 = MIN(lease->t1, lease->t2);
}

static void get_addresses(const Dhcp6Message *message, uint32_t iaid, Dhcp6Lease *lease) {
        const Dhcp6Ia *ia = find_ia(message, iaid);

        /* RFC 8415 §21.4: an IA whose T1 is above its T2 is discarded. */
        if (!ia || message->status != DHCP6_STATUS_SUCCESS || ia->status != DHCP6_STATUS_SUCCESS ||
                        (ia->t1 > ia->t2 && ia->t2 > 0))
                return;
        for (size_t i = 0; i < ia->n_addresses; i++)
                if (is_usable(ia->addresses + i))
                        lease->addresses[lease->n_addresses++] = ia->addresses[i];
        if (lease->n_addresses > 0)
                get_times(ia, lease);
}

static void get_dns(const Dhcp6Message *message, Dhcp6Lease *lease) {
        Cursor value;
        const uint8_t *p;

        if (!dhcp6_message_option(message, DHCP6_OPTION_DNS, &value) ||
                        value.left % sizeof(*lease->dns) != 0)
                return;
        while (lease->n_dns < DHCP6_DNS_MAX && cursor_take(&value, sizeof(*lease->dns), &p) == 0) {
                memcpy(lease->dns + lease->n_dns, p, sizeof(*lease->dns));
                lease->n_dns += ip6_is_host(lease->dns + lease->n_dns);
        }
}

static void get_domains(const Dhcp6Message *message, Dhcp6Lease *lease) {
        Cursor value;

        if (!dhcp6_message_option(message, DHCP6_OPTION_DOMAINS, &value))
                return;
        while (lease->n_domains < DHCP6_DOMAINS_MAX &&
                        domain_name_parse(&value, lease->domains[lease->n_domains]) >= 0)
                lease->n_domains++;
}

static bool is_text(const Cursor *value) {
        for (size_t i = 0; i < value->left; i++)
                if (value->p[i] < 0x20 || value->p[i] >= 0x7f)
                        return false;
        return value->left > 0;
}

/* 0 with *ret as it was where the text is empty or not text; -ENOMEM. NULs behind it are some servers' own. */
static int copy_text(Cursor value, char **ret) {
        char *copy;

        while (value.left > 0 && value.p[value.left - 1] == '\0')
                value.left--;
        if (!is_text(&value))
                return 0;
        copy = strndup((const char *) value.p, value.left);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* RFC 5970 §3.2: each with its size in 16 bits. One that is no text ends them. */
static int get_parameters(const Dhcp6Message *message, char **ret) {
        uint8_t text[256];
        Buffer buffer = BUFFER(text, sizeof(text));
        Cursor value, parameter;
        uint16_t size;

        if (!dhcp6_message_option(message, DHCP6_OPTION_BOOT_PARAMETERS, &value))
                return 0;
        while (cursor_be16(&value, &size) == 0 && cursor_sub(&value, size, &parameter) == 0 &&
                        is_text(&parameter)) {
                if (buffer.size > 0)
                        buffer_append_u8(&buffer, ' ');
                buffer_append(&buffer, parameter.p, parameter.left);
        }
        return copy_text(CURSOR(text, buffer.size), ret);
}

/* RFC 8415 §21.17: each enterprise's options, in the form of DHCPv6's own. */
static int get_vendor_file(const Dhcp6Message *message, uint32_t enterprise, char **ret) {
        Cursor options = message->options, value, file;
        uint16_t code;
        uint32_t number;

        if (enterprise == 0)
                return 0;
        while (dhcp6_next_option(&options, &code, &value) > 0) {
                if (code != DHCP6_OPTION_VENDOR_OPTIONS || cursor_be32(&value, &number) < 0 ||
                                number != enterprise)
                        continue;
                while (dhcp6_next_option(&value, &code, &file) > 0)
                        if (code == DHCP6_VENDOR_FILE)
                                return copy_text(file, ret);
        }
        return 0;
}

static bool get_be32(const Dhcp6Message *message, Dhcp6Option code, uint32_t *ret) {
        Cursor value;

        return dhcp6_message_option(message, code, &value) && value.left == sizeof(*ret) &&
                        cursor_be32(&value, ret) == 0;
}

static uint32_t get_max_rt(const Dhcp6Message *message, Dhcp6Option code) {
        uint32_t seconds;

        return get_be32(message, code, &seconds) && seconds >= MAX_RT_MIN && seconds <= MAX_RT_MAX ? seconds
                                                                                                   : 0;
}

static void get_refresh_time(const Dhcp6Message *message, Dhcp6Lease *lease) {
        uint32_t seconds;

        lease->refresh_time = get_be32(message, DHCP6_OPTION_REFRESH_TIME, &seconds)
                        ? MAX(seconds, (uint32_t) REFRESH_TIME_MIN)
                        : REFRESH_TIME_DEFAULT;
}

static void get_unicast(const Dhcp6Message *message, Dhcp6Lease *lease) {
        Cursor value;
        struct in6_addr address;

        if (!dhcp6_message_option(message, DHCP6_OPTION_UNICAST, &value) || value.left != sizeof(address))
                return;
        memcpy(&address, value.p, sizeof(address));
        if (ip6_is_global(&address))
                lease->unicast = address;
}

int dhcp6_lease_new(Dhcp6Lease **ret, const Dhcp6Message *message, uint32_t iaid, uint32_t enterprise) {
        _cleanup_(dhcp6_lease_freep) Dhcp6Lease *lease = NULL;
        Cursor value;
        int r = 0;

        if (message->server_id.left == 0)
                return -EBADMSG;
        lease = calloc(1, sizeof(*lease));
        if (!lease)
                return -ENOMEM;
        memcpy(lease->server_id, message->server_id.p, message->server_id.left);
        lease->n_server_id = message->server_id.left;
        lease->preference = message->preference;
        lease->sol_max_rt = get_max_rt(message, DHCP6_OPTION_SOL_MAX_RT);
        lease->inf_max_rt = get_max_rt(message, DHCP6_OPTION_INF_MAX_RT);
        get_refresh_time(message, lease);
        get_addresses(message, iaid, lease);
        get_unicast(message, lease);
        get_dns(message, lease);
        get_domains(message, lease);
        if (dhcp6_message_option(message, DHCP6_OPTION_BOOT_URL, &value))
                r = copy_text(value, &lease->boot_url);
        if (r >= 0)
                r = get_parameters(message, &lease->boot_parameters);
        if (r >= 0)
                r = get_vendor_file(message, enterprise, &lease->vendor_file);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(lease);
        return 0;
}

Dhcp6Lease *dhcp6_lease_free(Dhcp6Lease *lease) {
        if (!lease)
                return NULL;
        free(lease->boot_url);
        free(lease->boot_parameters);
        free(lease->vendor_file);
        free(lease);
        return NULL;
}

bool dhcp6_lease_has_configuration(const Dhcp6Lease *lease) {
        return lease->boot_url || lease->vendor_file;
}
