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

typedef struct EntryList {
        Entry *entries;
        size_t n, n_allocated;
} EntryList;

struct Ledger {
        char *path, *path_previous;
        Netlink *netlink; /* not ours */
        EntryList current, previous;
};

DEFINE_CLEANUP(Ledger, ledger_free)

static int append(EntryList *list, const Entry *entry) {
        if (list->n == list->n_allocated) {
                size_t n = MAX(list->n_allocated * 2, (size_t) 8);
                Entry *more = realloc(list->entries, n * sizeof(*more));

                if (!more)
                        return -ENOMEM;
                list->entries = more;
                list->n_allocated = n;
        }
        list->entries[list->n++] = *entry;
        return 0;
}

static int unlink_file(const char *path) {
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* A line an entry: "3 192.0.2.7/24". The file appears with the first address and goes with the last. */
static int write_file(const Ledger *ledger) {
        _cleanup_free_ char *text = NULL;
        _cleanup_fclose_ FILE *stream = NULL;
        size_t size;

        if (ledger->current.n == 0)
                return unlink_file(ledger->path);

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        for (size_t i = 0; i < ledger->current.n; i++) {
                char address[IP_ADDRESS_TEXT_MAX];

                fprintf(stream, "%d %s/%u\n", ledger->current.entries[i].ifindex,
                                ip_address_format(address, &ledger->current.entries[i].prefix.address),
                                ledger->current.entries[i].prefix.length);
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
static int read_file(Ledger *ledger, const char *path) {
        _cleanup_free_ char *text = NULL;
        char *state = NULL;
        int r;

        r = file_read(AT_FDCWD, path, FILE_SIZE_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                Entry entry;

                if (parse_line(line, &entry) < 0)
                        continue;
                r = append(&ledger->previous, &entry);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int remove_leftovers(Ledger *ledger) {
        int r = netlink_remove_leftovers(ledger->netlink);

        for (size_t i = 0; i < ledger->previous.n; i++) {
                const Entry *entry = ledger->previous.entries + i;

                int q = netlink_remove_address(ledger->netlink, entry->ifindex, &entry->prefix);

                if (q < 0)
                        r = q; /* go on with the others, and say so at the end */
        }
        return r;
}

static int new_ledger(Ledger **ret, const char *path, Netlink *netlink) {
        _cleanup_(ledger_freep) Ledger *ledger = calloc(1, sizeof(*ledger));
        int r;

        if (!ledger)
                return -ENOMEM;
        ledger->netlink = netlink;
        if (asprintf(&ledger->path, "%s", path) < 0 ||
                        asprintf(&ledger->path_previous, "%s.previous", path) < 0)
                return -ENOMEM;
        r = read_file(ledger, path);
        if (r == -ENOENT)
                r = read_file(ledger, ledger->path_previous);
        if (r < 0 && r != -ENOENT)
                return r;
        r = remove_leftovers(ledger);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ledger);
        return 0;
}

int ledger_open(Ledger **ret, const char *path, Netlink *netlink) {
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        int r;

        r = new_ledger(&ledger, path, netlink);
        if (r >= 0)
                r = unlink_file(path);
        if (r >= 0)
                r = unlink_file(ledger->path_previous);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ledger);
        return 0;
}

int ledger_clean_up(const char *path, Netlink *netlink) {
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        int r;

        r = new_ledger(&ledger, path, netlink);
        if (r < 0)
                return r;
        return rename(path, ledger->path_previous) < 0 && errno != ENOENT ? -errno : 0;
}

struct in_addr ledger_get_previous4(const Ledger *ledger, int ifindex) {
        for (size_t i = 0; i < ledger->previous.n; i++) {
                const Entry *entry = ledger->previous.entries + i;

                if (entry->ifindex == ifindex && entry->prefix.address.family == AF_INET)
                        return entry->prefix.address.v4;
        }
        return (struct in_addr){ INADDR_ANY };
}

Ledger *ledger_free(Ledger *ledger) {
        if (!ledger)
                return NULL;
        free(ledger->current.entries);
        free(ledger->previous.entries);
        free(ledger->path);
        free(ledger->path_previous);
        free(ledger);
        return NULL;
}

static Entry *find(const Ledger *ledger, int ifindex, const IpPrefix *prefix) {
        for (size_t i = 0; i < ledger->current.n; i++) {
                Entry *entry = ledger->current.entries + i;

                if (entry->ifindex == ifindex && entry->prefix.length == prefix->length &&
                                ip_address_equal(&entry->prefix.address, &prefix->address))
                        return entry;
        }
        return NULL;
}

bool ledger_has(const Ledger *ledger, int ifindex, const IpPrefix *prefix) {
        return find(ledger, ifindex, prefix);
}

static int forget(Ledger *ledger, Entry *entry) {
        *entry = ledger->current.entries[--ledger->current.n];
        return write_file(ledger);
}

int ledger_add(Ledger *ledger, int ifindex, const IpPrefix *prefix, const AddressTimes *times,
                AddressDetection detection) {
        int r;

        if (find(ledger, ifindex, prefix))
                return netlink_renew_address(ledger->netlink, ifindex, prefix, times);
        r = append(&ledger->current, &(Entry){ .ifindex = ifindex, .prefix = *prefix });
        if (r < 0)
                return r;
        r = write_file(ledger);
        if (r < 0) {
                ledger->current.n--;
                return r;
        }
        r = netlink_add_address(ledger->netlink, ifindex, prefix, times, detection);
        if (r < 0)
                (void) forget(ledger, find(ledger, ifindex, prefix));
        return r;
}

int ledger_remove(Ledger *ledger, int ifindex, const IpPrefix *prefix) {
        Entry *entry = find(ledger, ifindex, prefix);
        int r;

        if (!entry)
                return 0;
        r = netlink_remove_address(ledger->netlink, ifindex, prefix);
        return r < 0 ? r : forget(ledger, entry);
}
