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

struct Fetch {
        char interface[IFNAMSIZ];
        FetchConfig config;
        Targets *targets;
        FetchHandlers handlers;

        EventLoop *loop;
        EventSource *step; /* begins the next transfer, outside of the last one's callback */
        TftpTransfer *transfer;
        size_t server, file; /* the target that is being tried */
};

DEFINE_CLEANUP(Fetch, fetch_free)

static const char *current_url(const Fetch *fetch, char url[static TARGETS_URL_MAX]) {
        return targets_url(url, fetch->targets->servers + fetch->server, fetch->targets->files[fetch->file]);
}

static void next_file(Fetch *fetch) {
        fetch->file++;
        if (fetch->file == fetch->targets->n_files)
                fetch_next_server(fetch);
        else
                event_deferred_set(fetch->step);
}

void fetch_next_server(Fetch *fetch) {
        fetch->file = 0;
        fetch->server++;
        event_deferred_set(fetch->step);
}

static void on_failure(Fetch *fetch, int error, const char *reason) {
        char url[TARGETS_URL_MAX];

        if (error == -EFBIG)
                reason = "larger than [Install] MaximumSize=";
        fetch->handlers.tried(current_url(fetch, url), reason, fetch->handlers.userdata);
        /* A server that answers may have the next file; one that does not answer need not be asked again. */
        if (error == -ENOENT || error == -EACCES)
                next_file(fetch);
        else
                fetch_next_server(fetch);
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

static int on_step(void *userdata) {
        Fetch *fetch = userdata;
        SocketAddress server;
        int r;

        fetch->transfer = tftp_transfer_free(fetch->transfer);
        if (fetch->server >= fetch->targets->n_servers || fetch->targets->n_files == 0) {
                fetch->handlers.exhausted(fetch->handlers.userdata);
                return 0;
        }

        server = socket_address(fetch->targets->servers + fetch->server, TFTP_PORT, fetch->config.ifindex);
        r = tftp_transfer_new(&fetch->transfer, fetch->loop,
                        &(TftpTransferConfig){
                                        .server = server,
                                        .interface = fetch->interface,
                                        .source = socket_address(
                                                        &fetch->config.source, 0, fetch->config.ifindex),
                                        .file_name = fetch->targets->files[fetch->file],
                                        .size_max = fetch->config.size_max,
                                        .mtu = fetch->config.mtu,
                        },
                        on_done, fetch);
        if (r < 0)
                on_failure(fetch, r, strerror(-r));
        return 0;
}

int fetch_new(Fetch **ret, EventLoop *loop, const FetchConfig *config, Targets *targets_take,
                const FetchHandlers *handlers) {
        _cleanup_(fetch_freep) Fetch *fetch = calloc(1, sizeof(*fetch));
        int r;

        if (!fetch) {
                targets_free(targets_take);
                return -ENOMEM;
        }
        fetch->config = *config;
        fetch->targets = targets_take;
        fetch->handlers = *handlers;
        fetch->loop = loop;
        r = text_copy(fetch->interface, sizeof(fetch->interface), config->interface);
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
