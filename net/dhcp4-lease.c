/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dhcp4-lease.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A server that gives seconds would have us ask it again and again. What a person sets in a lab is longer; what is shorter
 * counts as no lease.
 */
#define LIFETIME_MIN 10

/* RFC 791: what every host forwards in one piece. Less is a mistake that would cost us everything. */
#define MTU_MIN 576

DEFINE_CLEANUP(Dhcp4Lease, dhcp4_lease_free)

static void get_addresses(const Dhcp4Message *message, Dhcp4Option code, Ip4List *list) {
        Cursor value;
        uint32_t address;

        if (!dhcp4_message_option(message, code, &value) || value.left % sizeof(address) != 0)
                return;
        while (list->n < ELEMENTSOF(list->addresses) && cursor_be32(&value, &address) == 0) {
                struct in_addr in = { htonl(address) };

                if (ip4_is_host(in))
                        list->addresses[list->n++] = in;
        }
}

/* 0 with *ret NULL where the text is empty or not text; -ENOMEM. */
static int copy_text(const uint8_t *p, size_t n, char **ret) {
        char *copy;

        while (n > 0 && p[n - 1] == '\0')
                n--;
        if (n == 0)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (p[i] < 0x20 || p[i] >= 0x7f)
                        return 0;

        copy = strndup((const char *) p, n);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

static int get_text(const Dhcp4Message *message, Dhcp4Option code, char **ret) {
        Cursor value;

        if (!dhcp4_message_option(message, code, &value))
                return 0;
        return copy_text(value.p, value.left, ret);
}

static int get_address(const Dhcp4Message *message, IpPrefix *ret) {
        struct in_addr address = message->header.yiaddr, mask;
        uint8_t length;

        if (!ip4_is_host(address))
                return -EBADMSG;
        if (dhcp4_message_address(message, DHCP4_OPTION_SUBNET_MASK, &mask) < 0 ||
                        ip4_prefix_length(mask, &length) < 0 || length == 0)
                length = ip4_class_prefix_length(address);

        /* The network's own address and its broadcast address are no host's (RFC 1122 §3.2.1.3), but RFC 3021. */
        if (length < 31) {
                uint32_t host = ntohl(address.s_addr) & ~ntohl(ip4_mask(length).s_addr);

                if (host == 0 || host == ~ntohl(ip4_mask(length).s_addr))
                        return -EBADMSG;
        }
        *ret = (IpPrefix){ .address = IP_ADDRESS_V4(address), .length = length };
        return 0;
}

/* RFC 2131 §4.4.5: T1 and T2 as given where they make sense, else 0.5 and 0.875 of the lease. */
static int get_times(const Dhcp4Message *message, Dhcp4Lease *lease) {
        uint32_t lifetime, t1, t2;
        int r;

        r = dhcp4_message_be32(message, DHCP4_OPTION_LEASE_TIME, &lifetime);
        if (r < 0 || lifetime < LIFETIME_MIN)
                return -EBADMSG;

        lease->lifetime = lifetime;
        if (lifetime == UINT32_MAX) {
                lease->t1 = lease->t2 = UINT32_MAX;
                return 0;
        }
        lease->t1 = lifetime / 2;
        lease->t2 = (uint32_t) ((uint64_t) lifetime * 7 / 8);
        if (dhcp4_message_be32(message, DHCP4_OPTION_T2, &t2) == 0 && t2 >= LIFETIME_MIN / 2 &&
                        t2 < lifetime)
                lease->t2 = t2;
        if (dhcp4_message_be32(message, DHCP4_OPTION_T1, &t1) == 0 && t1 >= LIFETIME_MIN / 2 &&
                        t1 < lifetime)
                lease->t1 = t1;
        lease->t1 = MIN(lease->t1, lease->t2);
        return 0;
}

static int get_server(const Dhcp4Message *message, struct in_addr *ret) {
        struct in_addr server;
        int r;

        r = dhcp4_message_address(message, DHCP4_OPTION_SERVER_ID, &server);
        if (r < 0 || !ip4_is_host(server))
                return -EBADMSG;
        *ret = server;
        return 0;
}

/* RFC 3442: destinations with as many bytes as their length needs, each with its router. */
static int get_route(Cursor *value, Ip4Route *ret) {
        uint8_t length, destination[4] = { 0 };
        const uint8_t *significant;
        uint32_t router;

        if (cursor_u8(value, &length) < 0 || length > 32 ||
                        cursor_take(value, (length + 7u) / 8, &significant) < 0 ||
                        cursor_be32(value, &router) < 0)
                return -EBADMSG;
        memcpy(destination, significant, (length + 7u) / 8);
        *ret = (Ip4Route){ .destination.length = length, .router.s_addr = htonl(router) };
        ret->destination.address.family = AF_INET;
        memcpy(&ret->destination.address.v4, destination, sizeof(destination));
        ret->destination.address.v4.s_addr &= ip4_mask(length).s_addr;
        return router == INADDR_ANY || ip4_is_host(ret->router) ? 0 : -EBADMSG;
}

static void get_routes(const Dhcp4Message *message, Dhcp4Lease *lease) {
        Cursor value;
        Ip4Route route;

        if (!dhcp4_message_option(message, DHCP4_OPTION_CLASSLESS_ROUTES, &value))
                return;
        while (value.left > 0) {
                if (get_route(&value, &route) < 0) {
                        lease->n_routes = 0;
                        return;
                }
                if (lease->n_routes < ELEMENTSOF(lease->routes))
                        lease->routes[lease->n_routes++] = route;
        }
}

static void get_mtu(const Dhcp4Message *message, Dhcp4Lease *lease) {
        Cursor value;
        uint16_t mtu;

        if (dhcp4_message_option(message, DHCP4_OPTION_MTU, &value) && value.left == sizeof(mtu) &&
                        cursor_be16(&value, &mtu) == 0 && mtu >= MTU_MIN)
                lease->mtu = mtu;
}

/* The first sub-option `code` of a list of them. False as well when the list is malformed before it. */
static bool find_sub_option(Cursor list, uint8_t code, Cursor *ret) {
        uint8_t found, size;

        while (cursor_u8(&list, &found) == 0) {
                if (found == DHCP4_OPTION_PAD)
                        continue;
                if (found == DHCP4_OPTION_END || cursor_u8(&list, &size) < 0 ||
                                cursor_sub(&list, size, ret) < 0)
                        return false;
                if (found == code)
                        return true;
        }
        return false;
}

/* RFC 3925 §4: the data of `enterprise`. */
static bool find_enterprise(Cursor value, uint32_t enterprise, Cursor *ret) {
        uint32_t number;
        uint8_t size;

        while (cursor_be32(&value, &number) == 0 && cursor_u8(&value, &size) == 0 &&
                        cursor_sub(&value, size, ret) == 0)
                if (number == enterprise)
                        return true;
        return false;
}

static int get_vendor_file(const Dhcp4Message *message, uint32_t enterprise, char **ret) {
        Cursor value, data, file;

        if (enterprise != 0 && dhcp4_message_option(message, DHCP4_OPTION_VENDOR_INFORMATION, &value) &&
                        find_enterprise(value, enterprise, &data) &&
                        find_sub_option(data, DHCP4_VENDOR_FILE, &file))
                return copy_text(file.p, file.left, ret);
        if (dhcp4_message_option(message, DHCP4_OPTION_VENDOR_SPECIFIC, &value) &&
                        find_sub_option(value, DHCP4_VENDOR_FILE, &file))
                return copy_text(file.p, file.left, ret);
        return 0;
}

static int get_configuration_server(const Dhcp4Message *message, uint32_t enterprise, Dhcp4Lease *lease) {
        int r;

        get_addresses(message, DHCP4_OPTION_TFTP_SERVERS, &lease->tftp_servers);
        if (ip4_is_host(message->header.siaddr))
                lease->next_server = message->header.siaddr;

        r = get_text(message, DHCP4_OPTION_TFTP_SERVER_NAME, &lease->tftp_server_name);
        if (r >= 0)
                r = get_text(message, DHCP4_OPTION_BOOT_FILE, &lease->boot_file);
        if (r >= 0)
                r = copy_text((const uint8_t *) message->sname, strlen(message->sname), &lease->server_name);
        if (r >= 0)
                r = copy_text((const uint8_t *) message->file, strlen(message->file), &lease->file);
        if (r >= 0)
                r = get_vendor_file(message, enterprise, &lease->vendor_file);
        return r;
}

int dhcp4_lease_new(Dhcp4Lease **ret, const Dhcp4Message *message, uint32_t enterprise) {
        _cleanup_(dhcp4_lease_freep) Dhcp4Lease *lease = calloc(1, sizeof(*lease));
        int r;

        if (!lease)
                return -ENOMEM;
        r = get_address(message, &lease->address);
        if (r < 0)
                return r;
        r = get_server(message, &lease->server);
        if (r < 0)
                return r;
        r = get_times(message, lease);
        if (r < 0)
                return r;
        get_addresses(message, DHCP4_OPTION_ROUTER, &lease->routers);
        get_addresses(message, DHCP4_OPTION_DNS, &lease->dns);
        get_routes(message, lease);
        get_mtu(message, lease);
        r = get_text(message, DHCP4_OPTION_DOMAIN_NAME, &lease->domain);
        if (r >= 0)
                r = get_configuration_server(message, enterprise, lease);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(lease);
        return 0;
}

Dhcp4Lease *dhcp4_lease_free(Dhcp4Lease *lease) {
        if (!lease)
                return NULL;
        free(lease->domain);
        free(lease->tftp_server_name);
        free(lease->server_name);
        free(lease->boot_file);
        free(lease->file);
        free(lease->vendor_file);
        free(lease);
        return NULL;
}

bool dhcp4_lease_has_configuration(const Dhcp4Lease *lease) {
        return lease->tftp_servers.n > 0 || lease->tftp_server_name || lease->server_name ||
                        lease->boot_file || lease->file || lease->vendor_file;
}
