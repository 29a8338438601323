/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolver.h"

#include "base/cleanup.h"
#include "base/time.h"

#define CARES_NO_DEPRECATED /* c-ares 1.34 would rather be given the servers as a text than as addresses */
#include <ares.h>
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

/* Each server is asked twice, and all of it is over in ten seconds: then there may be another way to the configuration. */
#define QUERY_TIMEOUT_MSEC 1000
#define QUERY_TRIES 2
#define LOOKUP_TIMEOUT (10 * USEC_PER_SEC)

/* c-ares has one socket for each server, and one more for each answer that was truncated. */
#define SOCKETS_MAX (2 * RESOLVER_SERVERS_MAX + 8)

typedef struct Watch {
        int fd;
        EventSource *source;
} Watch;

struct Resolver {
        EventLoop *loop;
        ares_channel channel;
        Watch watches[SOCKETS_MAX];
        size_t n_watches;
        EventSource *timer, *finish;
        uint64_t end;

        int family;
        IpAddress source4, source6;
        bool done; /* `error` and what follows are set */
        int error;
        const char *reason;
        IpAddress addresses[RESOLVER_ADDRESSES_MAX];
        size_t n_addresses;

        resolver_done_t handler;
        void *userdata;
};

DEFINE_CLEANUP(Resolver, resolver_free)

/*
 * c-ares, loaded for the first name: most configuration servers are given by address, and then the daemon does without its memory. The
 * library stays once it is there.
 */
#define ARES_LIBRARY "libcares.so.2"
#define ARES_FUNCTIONS(F)                \
        F(cancel)                        \
        F(destroy)                       \
        F(freeaddrinfo)                  \
        F(getaddrinfo)                   \
        F(init_options)                  \
        F(library_init)                  \
        F(process_fd)                    \
        F(set_local_dev)                 \
        F(set_servers)                   \
        F(set_socket_configure_callback) \
        F(timeout)

static struct {
#define DECLARE(name) typeof(ares_##name) *name;
        ARES_FUNCTIONS(DECLARE)
#undef DECLARE
} ares;

static int load_ares(void) {
        static bool loaded;
        void *library;

        if (loaded)
                return 0;
        library = dlopen(ARES_LIBRARY, RTLD_NOW | RTLD_LOCAL);
        if (!library)
                return -ELIBACC;
#define LOAD(name)                                                     \
        ares.name = (typeof(ares.name)) dlsym(library, "ares_" #name); \
        if (!ares.name)                                                \
                return -ELIBBAD;
        ARES_FUNCTIONS(LOAD)
#undef LOAD
        if (ares.library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
                return -ENOMEM;
        loaded = true;
        return 0;
}

/* The one place where c-ares' errors become errno. */
static int from_ares(int status) {
        switch (status) {
        case ARES_SUCCESS:
                return 0;
        case ARES_ENODATA:
        case ARES_ENOTFOUND:
                return -ENOENT;
        case ARES_ETIMEOUT:
        case ARES_ECANCELLED: /* by us, when the time was over */
                return -ETIMEDOUT;
        case ARES_ENOMEM:
                return -ENOMEM;
        case ARES_EBADNAME:
        case ARES_EBADRESP:
        case ARES_EFORMERR:
                return -EBADMSG;
        default: /* c-ares' numbers, not ours */
                return -EHOSTUNREACH;
        }
}

static const char *reason_of(int error) {
        switch (error) {
        case -ENOENT:
                return "the DNS servers know no address for this name";
        case -ETIMEDOUT:
                return "no DNS server has answered";
        case -EBADMSG:
                return "a DNS server's answer cannot be read";
        default:
                return "no DNS server can be asked, or they fail";
        }
}

static void set_timer(Resolver *resolver) {
        struct timeval maximum = { .tv_sec = LOOKUP_TIMEOUT / USEC_PER_SEC }, wait;

        if (resolver->done)
                return;
        (void) ares.timeout(resolver->channel, &maximum, &wait);
        event_timer_set(resolver->timer,
                        MIN(resolver->end,
                                        time_add(time_now_boottime(),
                                                        (uint64_t) wait.tv_sec * USEC_PER_SEC +
                                                                        (uint64_t) wait.tv_usec)));
}

static int on_ready(int fd, uint32_t events, void *userdata) {
        Resolver *resolver = userdata;

        ares.process_fd(resolver->channel, events & ~(uint32_t) EPOLLOUT ? fd : ARES_SOCKET_BAD,
                        events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
        set_timer(resolver);
        return 0;
}

static int on_timer(void *userdata) {
        Resolver *resolver = userdata;

        if (time_now_boottime() >= resolver->end)
                ares.cancel(resolver->channel);
        else
                ares.process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        set_timer(resolver);
        return 0;
}

static void forget_socket(Resolver *resolver, int fd) {
        for (size_t i = 0; i < resolver->n_watches; i++)
                if (resolver->watches[i].fd == fd) {
                        event_source_free(resolver->watches[i].source);
                        resolver->watches[i] = resolver->watches[--resolver->n_watches];
                        return;
                }
}

/* Of a socket that cannot be watched nothing is heard, as of a server that does not answer. */
static void on_socket(void *userdata, ares_socket_t fd, int readable, int writable) {
        Resolver *resolver = userdata;
        uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
        Watch watch = { .fd = fd };

        forget_socket(resolver, fd);
        if (events == 0 || resolver->n_watches == SOCKETS_MAX ||
                        event_add_io(resolver->loop, &watch.source, fd, events, on_ready, resolver) < 0)
                return;
        resolver->watches[resolver->n_watches++] = watch;
}

static bool is_host(const IpAddress *address) {
        return address->family == AF_INET ? ip4_is_host(address->v4) : ip6_is_host(&address->v6);
}

static void add_address(Resolver *resolver, const struct sockaddr *sa) {
        IpAddress address = { .family = sa->sa_family };

        if (sa->sa_family == AF_INET)
                address.v4 = ((const struct sockaddr_in *) sa)->sin_addr;
        else
                address.v6 = ((const struct sockaddr_in6 *) sa)->sin6_addr;
        for (size_t i = 0; i < resolver->n_addresses; i++)
                if (ip_address_equal(resolver->addresses + i, &address))
                        return;
        if (is_host(&address) && resolver->n_addresses < RESOLVER_ADDRESSES_MAX)
                resolver->addresses[resolver->n_addresses++] = address;
}

static void add_family(Resolver *resolver, const struct ares_addrinfo *result, int family) {
        for (const struct ares_addrinfo_node *node = result->nodes; node; node = node->ai_next)
                if (node->ai_family == family)
                        add_address(resolver, node->ai_addr);
}

/* c-ares must not be taken down in its own call: the end is told from the event loop. */
static void on_answer(void *userdata, int status, int timeouts, struct ares_addrinfo *result) {
        Resolver *resolver = userdata;

        (void) timeouts;
        if (status == ARES_EDESTRUCTION)
                return;
        resolver->error = from_ares(status);
        if (result) {
                add_family(resolver, result, resolver->family);
                add_family(resolver, result, resolver->family == AF_INET ? AF_INET6 : AF_INET);
                ares.freeaddrinfo(result);
        }
        if (resolver->error == 0 && resolver->n_addresses == 0)
                resolver->error = -ENOENT;
        resolver->reason = resolver->error == 0 ? "" : reason_of(resolver->error);
        resolver->done = true;
        event_timer_set(resolver->timer, USEC_INFINITY);
        event_deferred_set(resolver->finish);
}

static int on_finish(void *userdata) {
        Resolver *resolver = userdata;

        resolver->handler(resolver->error, resolver->reason, resolver->addresses,
                        resolver->error == 0 ? resolver->n_addresses : 0, resolver->userdata);
        return 0;
}

/* Everything that c-ares would otherwise read from files is given, so that it opens none. */
static int open_channel(Resolver *resolver, const ResolverConfig *config) {
        char no_file[] = "/dev/null", dns_only[] = "b";
        struct ares_options options = {
                .flags = ARES_FLAG_NOALIASES,
                .timeout = QUERY_TIMEOUT_MSEC,
                .tries = QUERY_TRIES,
                .ndots = 1,
                .domains = (char **) config->domains,
                .ndomains = (int) config->n_domains,
                .lookups = dns_only,
                .resolvconf_path = no_file,
                .sock_state_cb = on_socket,
                .sock_state_cb_data = resolver,
        };

        return from_ares(ares.init_options(&resolver->channel, &options,
                        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                                        ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF |
                                        ARES_OPT_SERVERS | ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB));
}

static const IpAddress *source_for(const Resolver *resolver, int family) {
        return family == AF_INET ? &resolver->source4 : &resolver->source6;
}

static int set_servers(Resolver *resolver, const ResolverConfig *config) {
        struct ares_addr_node nodes[RESOLVER_SERVERS_MAX] = { 0 };
        size_t n = 0;

        for (size_t i = 0; i < config->n_servers && n < RESOLVER_SERVERS_MAX; i++) {
                const IpAddress *server = config->servers + i;

                if (source_for(resolver, server->family)->family == AF_UNSPEC)
                        continue;
                nodes[n].family = server->family;
                if (server->family == AF_INET)
                        nodes[n].addr.addr4 = server->v4;
                else
                        memcpy(&nodes[n].addr.addr6, &server->v6, sizeof(server->v6));
                if (n > 0)
                        nodes[n - 1].next = nodes + n;
                n++;
        }
        return n == 0 ? -EDESTADDRREQ : from_ares(ares.set_servers(resolver->channel, nodes));
}

/* Of c-ares: -1 has it give up this server. */
static int on_new_socket(ares_socket_t fd, int type, void *userdata) {
        Resolver *resolver = userdata;
        SocketAddress source;
        socklen_t size = sizeof(int);
        int family;

        (void) type;
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
                return -1;
        source = socket_address(source_for(resolver, family), 0, 0);
        return socket_address_bind(fd, &source) < 0 ? -1 : 0;
}

/* A link-local server is reached as well: the sockets are bound to the port. */
static void set_source(Resolver *resolver, const ResolverConfig *config) {
        ares.set_local_dev(resolver->channel, config->interface);
        ares.set_socket_configure_callback(resolver->channel, on_new_socket, resolver);
}

int resolver_new(Resolver **ret, EventLoop *loop, const ResolverConfig *config, const char *name,
                resolver_done_t done, void *userdata) {
        const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT };
        _cleanup_(resolver_freep) Resolver *resolver = calloc(1, sizeof(*resolver));
        int r;

        if (!resolver)
                return -ENOMEM;
        resolver->loop = loop;
        resolver->family = config->family;
        resolver->source4 = config->source4;
        resolver->source6 = config->source6;
        resolver->handler = done;
        resolver->userdata = userdata;
        resolver->end = time_add(time_now_boottime(), LOOKUP_TIMEOUT);
        r = event_add_timer(loop, &resolver->timer, on_timer, resolver);
        if (r >= 0)
                r = event_add_deferred(loop, &resolver->finish, on_finish, resolver);
        if (r < 0)
                return r;
        r = load_ares();
        if (r >= 0)
                r = open_channel(resolver, config);
        if (r >= 0)
                r = set_servers(resolver, config);
        if (r < 0)
                return r;
        set_source(resolver, config);
        ares.getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, resolver);
        set_timer(resolver);
        *ret = TAKE_PTR(resolver);
        return 0;
}

Resolver *resolver_free(Resolver *resolver) {
        if (!resolver)
                return NULL;
        if (resolver->channel)
                ares.destroy(resolver->channel);
        while (resolver->n_watches > 0)
                event_source_free(resolver->watches[--resolver->n_watches].source);
        event_source_free(resolver->timer);
        event_source_free(resolver->finish);
        free(resolver);
        return NULL;
}
