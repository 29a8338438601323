/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/targets.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "net/tftp-packet.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

DEFINE_CLEANUP(Targets, targets_free)

static const char *value_of(char specifier, const Identity *identity, const char *mac) {
        switch (specifier) {
        case 's':
                return identity->serial;
        case 'm':
                return mac;
        case 'u':
                return identity->uuid;
        case 'p':
                return identity->platform;
        case '%':
                return "%";
        default: /* a character of a file: config_load() has refused it */
                return "";
        }
}

int targets_expand(
                const char *name, const Identity *identity, const struct ether_addr *address, char **ret) {
        const uint8_t *a = address->ether_addr_octet;
        _cleanup_free_ char *text = NULL;
        _cleanup_fclose_ FILE *stream = NULL;
        char mac[18];
        size_t size;

        snprintf(mac, sizeof(mac), "%02x-%02x-%02x-%02x-%02x-%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        for (const char *p = name; *p; p++) {
                const char *value;

                if (*p != '%') {
                        fputc(*p, stream);
                        continue;
                }
                value = value_of(*++p, identity, mac);
                if (*value == '\0')
                        return -ENODATA;
                fputs(value, stream);
        }
        /* Not before it is closed does the text stay where it is. */
        if (fclose(TAKE_PTR(stream)) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

static void add_server(Targets *targets, const TargetServer *server) {
        for (size_t i = 0; i < targets->n_servers; i++) {
                const TargetServer *other = targets->servers + i;

                if (ip_address_equal(&other->address, &server->address) &&
                                strcasecmp(other->name, server->name) == 0 && other->port == server->port)
                        return;
        }
        if (targets->n_servers < TARGETS_SERVERS_MAX)
                targets->servers[targets->n_servers++] = *server;
}

/* A name, or an address as text. What is neither is left out. */
static void add_server_name(Targets *targets, const char *name) {
        TargetServer server = { .port = TFTP_PORT };

        if (!name)
                return;
        if (ip_address_parse(name, &server.address) >= 0 ||
                        (domain_name_is_valid(name) &&
                                        text_copy(server.name, sizeof(server.name), name) >= 0))
                add_server(targets, &server);
}

static void add_server_address(Targets *targets, struct in_addr address) {
        if (address.s_addr != INADDR_ANY)
                add_server(targets, &(TargetServer){ .address = IP_ADDRESS_V4(address), .port = TFTP_PORT });
}

static void add_servers(Targets *targets, const Dhcp4Lease *lease) {
        for (size_t i = 0; i < lease->tftp_servers.n; i++)
                add_server_address(targets, lease->tftp_servers.addresses[i]);
        add_server_name(targets, lease->tftp_server_name);
        add_server_address(targets, lease->next_server);
        add_server_name(targets, lease->server_name);
}

static int add_file(Targets *targets, const char *folder, const char *name) {
        char *file;

        if (asprintf(&file, "%s%s", folder, name) < 0)
                return -ENOMEM;
        targets->files[targets->n_files++] = file;
        return 0;
}

static int add_names(Targets *targets, const char *folder, const StringList *names, const Identity *identity,
                const struct ether_addr *address) {
        for (unsigned i = 0; i < names->n; i++) {
                _cleanup_free_ char *name = NULL;
                int r;

                r = targets_expand(names->items[i], identity, address, &name);
                if (r == -ENODATA)
                        continue;
                if (r >= 0)
                        r = add_file(targets, folder, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const char *file_of(const Dhcp4Lease *lease) {
        if (lease->boot_file)
                return lease->boot_file;
        return lease->file ? lease->file : lease->vendor_file;
}

/* `file` may be NULL or empty: none is named. */
static int new_targets(Targets **ret, const char *file, const StringList *names, const Identity *identity,
                const struct ether_addr *address) {
        _cleanup_(targets_freep) Targets *targets = calloc(1, sizeof(*targets));
        int r;

        if (!targets)
                return -ENOMEM;
        targets->files = calloc(CONFIG_LIST_MAX, sizeof(*targets->files));
        if (!targets->files)
                return -ENOMEM;
        if (!file || !*file)
                r = add_names(targets, "", names, identity, address);
        else if (file[strlen(file) - 1] == '/')
                r = add_names(targets, file, names, identity, address);
        else
                r = add_file(targets, "", file);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(targets);
        return 0;
}

int targets_new4(Targets **ret, const Dhcp4Lease *lease, const StringList *names, const Identity *identity,
                const struct ether_addr *address) {
        int r = new_targets(ret, file_of(lease), names, identity, address);

        if (r >= 0)
                add_servers(*ret, lease);
        return r;
}

int targets_new6(Targets **ret, const Dhcp6Lease *lease, const StringList *names, const Identity *identity,
                const struct ether_addr *address) {
        const char *text = lease->boot_url ? lease->boot_url : lease->vendor_file;
        TargetServer server;
        BootUrl url = { 0 };
        int r = text ? boot_url_parse(text, &url) : 0;

        if (r >= 0)
                r = new_targets(ret, url.path, names, identity, address);
        if (r < 0 || !text)
                return r;
        server = (TargetServer){ .address = url.address, .port = url.port };
        memcpy(server.name, url.host, sizeof(server.name));
        add_server(*ret, &server);
        return 0;
}

Targets *targets_free(Targets *targets) {
        if (!targets)
                return NULL;
        for (size_t i = 0; i < targets->n_files; i++)
                free(targets->files[i]);
        free(targets->files);
        free(targets);
        return NULL;
}

const char *targets_url(char text[static TARGETS_URL_MAX], const TargetServer *server, const char *file) {
        static_assert(DOMAIN_NAME_MAX >= IP_ADDRESS_TEXT_MAX, "either fits into `host`");
        char host[DOMAIN_NAME_MAX], port[8] = "";
        bool v6 = server->address.family == AF_INET6;

        if (server->name[0] != '\0')
                snprintf(host, sizeof(host), "%s", server->name);
        else
                ip_address_format(host, &server->address);
        if (server->port != TFTP_PORT)
                snprintf(port, sizeof(port), ":%u", server->port);
        snprintf(text, TARGETS_URL_MAX, "tftp://%s%s%s%s/%s", v6 ? "[" : "", host, v6 ? "]" : "", port,
                        file);
        return text;
}
