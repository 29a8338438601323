/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/fetch.h"

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/text.h"
#include "net/tftp-transfer.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define RESULT_MAX 400

struct Fetch {
        char interface[IFNAMSIZ];
        char domains[RESOLVER_DOMAINS_MAX][DOMAIN_NAME_MAX];
        FetchConfig config;
        Targets *targets;
        FetchHandlers handlers;

        EventLoop *loop;
        EventSource *step; /* begins what is next, outside of the last one's callback */
        Resolver *resolver;
        TftpTransfer *transfer;

        /* The target that is being tried: a file, at an address of a server. No address: it is to be looked up. */
        size_t server, address, file;
        IpAddress addresses[RESOLVER_ADDRESSES_MAX];
        size_t n_addresses;
};

DEFINE_CLEANUP(Fetch, fetch_free)

static const TargetServer *current_server(const Fetch *fetch) {
        return fetch->targets->servers + fetch->server;
}

static const char *current_url(const Fetch *fetch, char url[static TARGETS_URL_MAX]) {
        return targets_url(url, current_server(fetch), fetch->targets->files[fetch->file]);
}

void fetch_next_server(Fetch *fetch) {
        fetch->file = fetch->address = fetch->n_addresses = 0;
        fetch->server++;
        event_deferred_set(fetch->step);
}

static void next_address(Fetch *fetch) {
        fetch->file = 0;
        fetch->address++;
        if (fetch->address >= fetch->n_addresses)
                fetch_next_server(fetch);
        else
                event_deferred_set(fetch->step);
}

static void next_file(Fetch *fetch) {
        fetch->file++;
        if (fetch->file == fetch->targets->n_files)
                fetch_next_server(fetch);
        else
                event_deferred_set(fetch->step);
}

/* Of a name with its address, where it has been found. */
static void tell(Fetch *fetch, const char *reason) {
        char url[TARGETS_URL_MAX], address[IP_ADDRESS_TEXT_MAX], result[RESULT_MAX];
        bool named = current_server(fetch)->name[0] != '\0' && fetch->address < fetch->n_addresses;

        if (named)
                ip_address_format(address, fetch->addresses + fetch->address);
        snprintf(result, sizeof(result), "%s%s%s", named ? address : "", named ? ": " : "", reason);
        fetch->handlers.tried(current_url(fetch, url), result, fetch->handlers.userdata);
}

static void on_failure(Fetch *fetch, int error, const char *reason) {
        tell(fetch, error == -EFBIG ? "larger than [Install] MaximumSize=" : reason);
        /*
         * The next name may be less specific, so it is tried only where there certainly is no file of this
         * name: not where access is denied, where a file has begun to come, or where the server is silent.
         */
        if (error == -ENOENT)
                next_file(fetch);
        else
                next_address(fetch);
}

static void on_done(TftpTransfer *transfer, int error, int fd_take, void *userdata) {
        _cleanup_close_ int fd = fd_take;
        char url[TARGETS_URL_MAX];
        Fetch *fetch = userdata;

        if (error < 0) {
                on_failure(fetch, error, tftp_transfer_get_reason(transfer));
                return;
        }
        error = memfd_seal(fd);
        if (error < 0)
                on_failure(fetch, error, strerror(-error));
        else
                fetch->handlers.file(current_url(fetch, url), TAKE_FD(fd), fetch->handlers.userdata);
}

static void on_resolved(
                int error, const char *reason, const IpAddress *addresses, size_t n, void *userdata) {
        Fetch *fetch = userdata;

        memcpy(fetch->addresses, addresses, n * sizeof(*addresses));
        fetch->n_addresses = n;
        fetch->resolver = resolver_free(fetch->resolver); /* whose they were */
        if (error >= 0) {
                event_deferred_set(fetch->step);
                return;
        }
        tell(fetch, reason);
        fetch_next_server(fetch);
}

static void look_up(Fetch *fetch) {
        int r;

        r = resolver_new(&fetch->resolver, fetch->loop, &fetch->config.resolver, current_server(fetch)->name,
                        on_resolved, fetch);
        if (r == -EDESTADDRREQ)
                tell(fetch, "a name, and no DNS server is known to look it up");
        else if (r < 0)
                tell(fetch, strerror(-r));
        if (r < 0)
                fetch_next_server(fetch);
}

/* To a link-local address one speaks from one, which is the kernel's: servers do not answer to another. */
static SocketAddress source_for(const Fetch *fetch, const IpAddress *address) {
        const ResolverConfig *own = &fetch->config.resolver;

        if (address->family == AF_INET)
                return socket_address(&own->source4, 0, fetch->config.ifindex);
        if (IN6_IS_ADDR_LINKLOCAL(&address->v6))
                return (SocketAddress){ 0 };
        return socket_address(&own->source6, 0, fetch->config.ifindex);
}

static void transfer(Fetch *fetch) {
        const IpAddress *address = fetch->addresses + fetch->address;
        int r;

        if ((address->family == AF_INET ? &fetch->config.resolver.source4 : &fetch->config.resolver.source6)
                                        ->family == AF_UNSPEC) {
                tell(fetch,
                                address->family == AF_INET ? "this port has no IPv4 address"
                                                           : "this port has no IPv6 address");
                next_address(fetch);
                return;
        }
        r = tftp_transfer_new(&fetch->transfer, fetch->loop,
                        &(TftpTransferConfig){
                                        .server = socket_address(address, current_server(fetch)->port,
                                                        fetch->config.ifindex),
                                        .interface = fetch->interface,
                                        .source = source_for(fetch, address),
                                        .file_name = fetch->targets->files[fetch->file],
                                        .size_max = fetch->config.size_max,
                                        .mtu = fetch->config.mtu,
                        },
                        on_done, fetch);
        if (r < 0)
                on_failure(fetch, r, strerror(-r));
}

static int on_step(void *userdata) {
        Fetch *fetch = userdata;

        fetch->transfer = tftp_transfer_free(fetch->transfer);
        if (fetch->server >= fetch->targets->n_servers || fetch->targets->n_files == 0) {
                fetch->handlers.exhausted(fetch->handlers.userdata);
                return 0;
        }
        if (fetch->n_addresses == 0 && current_server(fetch)->address.family != AF_UNSPEC)
                fetch->addresses[fetch->n_addresses++] = current_server(fetch)->address;
        if (fetch->n_addresses == 0)
                look_up(fetch);
        else
                transfer(fetch);
        return 0;
}

/* What the configuration points to may change while we work. */
static int copy_config(Fetch *fetch, const FetchConfig *config) {
        ResolverConfig *resolver = &fetch->config.resolver;
        size_t n = 0;

        fetch->config = *config;
        for (size_t i = 0; i < config->resolver.n_domains; i++)
                if (domain_name_is_valid(config->resolver.domains[i]) &&
                                text_copy(fetch->domains[n], sizeof(fetch->domains[n]),
                                                config->resolver.domains[i]) >= 0) {
                        resolver->domains[n] = fetch->domains[n];
                        n++;
                }
        resolver->n_domains = n;
        resolver->interface = fetch->interface;
        return text_copy(fetch->interface, sizeof(fetch->interface), config->resolver.interface);
}

int fetch_new(Fetch **ret, EventLoop *loop, const FetchConfig *config, Targets *targets_take,
                const FetchHandlers *handlers) {
        _cleanup_(fetch_freep) Fetch *fetch = calloc(1, sizeof(*fetch));
        int r;

        if (!fetch) {
                targets_free(targets_take);
                return -ENOMEM;
        }
        fetch->targets = targets_take;
        fetch->handlers = *handlers;
        fetch->loop = loop;
        r = copy_config(fetch, config);
        if (r < 0)
                return r;
        r = event_add_deferred(loop, &fetch->step, on_step, fetch);
        if (r < 0)
                return r;
        event_deferred_set(fetch->step);
        *ret = TAKE_PTR(fetch);
        return 0;
}

Fetch *fetch_free(Fetch *fetch) {
        if (!fetch)
                return NULL;
        event_source_free(fetch->step);
        resolver_free(fetch->resolver);
        tftp_transfer_free(fetch->transfer);
        targets_free(fetch->targets);
        free(fetch);
        return NULL;
}

bool fetch_get_progress(const Fetch *fetch, uint64_t *ret_bytes, uint64_t *ret_size) {
        TftpProgress progress;

        if (!fetch->transfer)
                return false;
        progress = tftp_transfer_get_progress(fetch->transfer);
        *ret_bytes = progress.bytes;
        *ret_size = progress.size == TFTP_SIZE_UNKNOWN ? 0 : progress.size;
        return true;
}
