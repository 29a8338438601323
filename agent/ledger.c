/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ledger.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FILE_SIZE_MAX (1024 * 1024)

typedef struct Entry {
        int ifindex;
        IpPrefix prefix;
} Entry;

struct Ledger {
        char *path;
        Netlink *netlink; /* not ours */
        Entry *entries;
        size_t n_entries, n_allocated;
};

DEFINE_CLEANUP(Ledger, ledger_free)

/* A line an entry: "3 192.0.2.7/24". The file appears with the first address and goes with the last. */
static int write_file(const Ledger *ledger) {
        _cleanup_free_ char *text = NULL;
        _cleanup_fclose_ FILE *stream = NULL;
        size_t size;

        if (ledger->n_entries == 0)
                return unlink(ledger->path) < 0 && errno != ENOENT ? -errno : 0;

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        for (size_t i = 0; i < ledger->n_entries; i++) {
                char address[IP_ADDRESS_TEXT_MAX];

                fprintf(stream, "%d %s/%u\n", ledger->entries[i].ifindex,
                                ip_address_format(address, &ledger->entries[i].prefix.address),
                                ledger->entries[i].prefix.length);
        }
        if (fflush(stream) != 0)
                return -ENOMEM;
        return file_replace(ledger->path, text, size, 0644, 0);
}

static int parse_line(char *line, Entry *ret) {
        char *address = strchr(line, ' '), *length = strchr(line, '/');
        uint64_t ifindex, bits;
        Entry entry = { 0 };

        if (!address || !length || length < address)
                return -EBADMSG;
        *address++ = '\0';
        *length++ = '\0';
        if (text_parse_u64(line, INT32_MAX, &ifindex) < 0 || ifindex == 0 ||
                        ip_address_parse(address, &entry.prefix.address) < 0 ||
                        text_parse_u64(length, entry.prefix.address.family == AF_INET ? 32 : 128, &bits) < 0)
                return -EBADMSG;
        entry.ifindex = (int) ifindex;
        entry.prefix.length = (uint8_t) bits;
        *ret = entry;
        return 0;
}

/* What cannot be read is not there: the file is ours, and half a line can only be of an address never added. */
static int remove_leftovers(const char *path, Netlink *netlink) {
        _cleanup_free_ char *text = NULL;
        char *state = NULL;
        int r;

        r = file_read(AT_FDCWD, path, FILE_SIZE_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                Entry entry;

                if (parse_line(line, &entry) >= 0)
                        r = MIN(r, netlink_remove_address(netlink, entry.ifindex, &entry.prefix));
        }
        return r;
}

int ledger_open(Ledger **ret, const char *path, Netlink *netlink) {
        _cleanup_(ledger_freep) Ledger *ledger = calloc(1, sizeof(*ledger));
        int r;

        if (!ledger)
                return -ENOMEM;
        ledger->netlink = netlink;
        ledger->path = strdup(path);
        if (!ledger->path)
                return -ENOMEM;
        r = remove_leftovers(path, netlink);
        if (r < 0)
                return r;
        r = netlink_remove_routes(netlink, 0);
        if (r < 0)
                return r;
        r = write_file(ledger);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ledger);
        return 0;
}

Ledger *ledger_free(Ledger *ledger) {
        if (!ledger)
                return NULL;
        free(ledger->entries);
        free(ledger->path);
        free(ledger);
        return NULL;
}

static Entry *find(Ledger *ledger, int ifindex, const IpPrefix *prefix) {
        for (size_t i = 0; i < ledger->n_entries; i++) {
                Entry *entry = ledger->entries + i;

                if (entry->ifindex == ifindex && entry->prefix.length == prefix->length &&
                                ip_address_equal(&entry->prefix.address, &prefix->address))
                        return entry;
        }
        return NULL;
}

static int append(Ledger *ledger, int ifindex, const IpPrefix *prefix) {
        if (ledger->n_entries == ledger->n_allocated) {
                size_t n = MAX(ledger->n_allocated * 2, (size_t) 8);
                Entry *more = realloc(ledger->entries, n * sizeof(*more));

                if (!more)
                        return -ENOMEM;
                ledger->entries = more;
                ledger->n_allocated = n;
        }
        ledger->entries[ledger->n_entries++] = (Entry){ .ifindex = ifindex, .prefix = *prefix };
        return 0;
}

int ledger_add(Ledger *ledger, int ifindex, const IpPrefix *prefix, uint32_t lifetime) {
        int r;

        if (!find(ledger, ifindex, prefix)) {
                r = append(ledger, ifindex, prefix);
                if (r < 0)
                        return r;
                r = write_file(ledger);
                if (r < 0) {
                        ledger->n_entries--;
                        return r;
                }
        }
        return netlink_add_address(ledger->netlink, ifindex, prefix, lifetime);
}

int ledger_remove(Ledger *ledger, int ifindex, const IpPrefix *prefix) {
        Entry *entry = find(ledger, ifindex, prefix);
        int r;

        r = netlink_remove_address(ledger->netlink, ifindex, prefix);
        if (r < 0 || !entry)
                return r;
        *entry = ledger->entries[--ledger->n_entries];
        return write_file(ledger);
}
