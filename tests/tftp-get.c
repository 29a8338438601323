/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fetches one file with the library, for tests and benchmarks:
 *
 *   tftp-get [--interface NAME] [--source ADDRESS] [--mtu N] [--size-max N] tftp://ADDRESS[:PORT]/NAME [OUTPUT]
 *
 * An IPv6 address stands in brackets, a link-local one with its scope: [fe80::1%eth0]. OUTPUT is - (standard output) or a
 * file. Ends with 0 and one line on standard error,
 *
 *   BYTES bytes, MICROSECONDS us, MICROSECONDS us stalled, KILOBYTES KB of memory
 *
 * (stalled: the longest time without a new byte, to about 5 ms; memory: what it has more of its own than before, looked at every
 * 50 ms and at the end), or with 1 and "ERRNO-NAME: reason". On SIGTERM it ends with that line, and 1.
 */

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "net/tftp-transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

DEFINE_CLEANUP(EventLoop, event_loop_free)
DEFINE_CLEANUP(EventSource, event_source_free)
DEFINE_CLEANUP(TftpTransfer, tftp_transfer_free)

static int parse_url(char *url, SocketAddress *ret, const char **ret_name) {
        uint64_t port = TFTP_PORT, scope = 0;
        IpAddress address;
        char *host, *name, *end, *zone;

        if (strncmp(url, "tftp://", 7) != 0)
                return -EINVAL;
        host = url + 7;
        name = strchr(host, '/');
        if (!name)
                return -EINVAL;
        *name++ = '\0';

        end = *host == '[' ? strchr(host, ']') : NULL;
        if (end) {
                host++;
                *end++ = '\0';
        } else
                end = host + strcspn(host, ":");
        if (*end == ':') {
                *end = '\0';
                if (text_parse_u64(end + 1, 65535, &port) < 0)
                        return -EINVAL;
        }
        zone = strchr(host, '%');
        if (zone) {
                *zone = '\0';
                scope = if_nametoindex(zone + 1);
        }
        if (ip_address_parse(host, &address) < 0)
                return -EINVAL;
        *ret = socket_address(&address, (uint16_t) port, (uint32_t) scope);
        *ret_name = name;
        return 0;
}

typedef struct Result {
        EventLoop *loop;
        EventSource *timer;
        TftpTransfer *transfer;
        const char *output;
        uint64_t started;
        uint64_t bytes, progress,
                        stall; /* when there were so many; the longest time until there were more */
        uint64_t memory, memory_max, weighed; /* at first, the most, and when it was looked at */
} Result;

#define WATCH_INTERVAL (5 * USEC_PER_MSEC)
#define WEIGH_INTERVAL (50 * USEC_PER_MSEC)

/* In KB; counted page by page, which the shorter way, /proc/self/status, is not. */
static uint64_t memory(void) {
        static const char name[] = "Anonymous:";
        _cleanup_free_ char *text = NULL;
        uint64_t kb = 0;
        const char *line;

        if (file_read(AT_FDCWD, "/proc/self/smaps_rollup", 65536, &text, NULL) < 0)
                return 0;
        line = strstr(text, name);
        if (line)
                (void) sscanf(line + strlen(name), " %" SCNu64, &kb);
        return kb;
}

static void weigh(Result *result, uint64_t now) {
        result->memory_max = MAX(result->memory_max, memory());
        result->weighed = now;
}

static void watch(Result *result, uint64_t now) {
        uint64_t bytes = tftp_transfer_get_progress(result->transfer).bytes;

        result->stall = MAX(result->stall, now - result->progress);
        if (bytes == result->bytes)
                return;
        result->bytes = bytes;
        result->progress = now;
}

static int on_watch(void *userdata) {
        Result *result = userdata;
        uint64_t now = time_now_boottime();

        watch(result, now);
        if (now - result->weighed >= WEIGH_INTERVAL)
                weigh(result, now);
        event_timer_set(result->timer, now + WATCH_INTERVAL);
        return 0;
}

static void report(Result *result, uint64_t now) {
        watch(result, now);
        weigh(result, now);
        fprintf(stderr,
                        "%" PRIu64 " bytes, %" PRIu64 " us, %" PRIu64 " us stalled, %" PRIu64
                        " KB of memory\n",
                        result->bytes, now - result->started, result->stall,
                        result->memory_max - result->memory);
}

static int on_terminate(void *userdata) {
        Result *result = userdata;

        report(result, time_now_boottime());
        event_loop_exit(result->loop, EXIT_FAILURE);
        return 0;
}

static int save(int fd_file, const char *output) {
        _cleanup_close_ int fd = -1;
        off_t offset = 0;
        struct stat st;

        if (fstat(fd_file, &st) < 0)
                return -errno;
        fd = strcmp(output, "-") == 0 ? dup(STDOUT_FILENO)
                                      : open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        while (offset < st.st_size)
                if (sendfile(fd, fd_file, &offset, (size_t) (st.st_size - offset)) <= 0)
                        return -errno;
        return 0;
}

static void on_done(TftpTransfer *transfer, int error, int fd_take, void *userdata) {
        _cleanup_close_ int fd = fd_take;
        uint64_t usec = time_now_boottime();
        Result *result = userdata;

        if (error < 0) {
                fprintf(stderr, "%s: %s\n", strerrorname_np(-error), tftp_transfer_get_reason(transfer));
                event_loop_exit(result->loop, EXIT_FAILURE);
                return;
        }
        result->transfer = transfer;
        report(result, usec);
        if (result->output) {
                error = save(fd, result->output);
                if (error < 0)
                        fprintf(stderr, "%s: %s\n", result->output, strerror(-error));
        }
        event_loop_exit(result->loop, error < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int usage(void) {
        fputs("usage: tftp-get [--interface NAME] [--source ADDRESS] [--mtu N] [--size-max N] URL [OUTPUT]\n",
                        stderr);
        return EXIT_FAILURE;
}

static int parse_arguments(int argc, char **argv, TftpTransferConfig *config) {
        static const struct option options[] = {
                { "interface", required_argument, NULL, 'i' },
                { "source", required_argument, NULL, 's' },
                { "mtu", required_argument, NULL, 'm' },
                { "size-max", required_argument, NULL, 'x' },
                {},
        };
        uint64_t mtu;
        IpAddress address;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'i':
                        config->interface = optarg;
                        break;
                case 's':
                        if (ip_address_parse(optarg, &address) < 0)
                                return -EINVAL;
                        config->source = socket_address(&address, 0, 0);
                        break;
                case 'm':
                        if (text_parse_u64(optarg, 65535, &mtu) < 0)
                                return -EINVAL;
                        config->mtu = (unsigned) mtu;
                        break;
                case 'x':
                        if (text_parse_u64(optarg, UINT64_MAX, &config->size_max) < 0)
                                return -EINVAL;
                        break;
                default:
                        return -EINVAL;
                }
        if (optind >= argc)
                return -EINVAL;
        return parse_url(argv[optind], &config->server, &config->file_name);
}

int main(int argc, char **argv) {
        _cleanup_(event_loop_freep) EventLoop *loop = NULL;
        _cleanup_(event_source_freep) EventSource *timer = NULL;
        _cleanup_(tftp_transfer_freep) TftpTransfer *transfer = NULL;
        TftpTransferConfig config = { .size_max = UINT64_MAX };
        Result result = {};
        int r;

        if (parse_arguments(argc, argv, &config) < 0)
                return usage();
        result.output = argv[optind + 1];
        r = event_loop_new(&loop);
        if (r >= 0)
                r = event_add_signal(loop, SIGTERM, on_terminate, &result);
        if (r >= 0)
                r = event_add_timer(loop, &timer, on_watch, &result);
        if (r < 0)
                return EXIT_FAILURE;

        result.loop = loop;
        result.timer = timer;
        result.memory = result.memory_max = memory();
        result.started = result.progress = result.weighed = time_now_boottime();
        event_timer_set(timer, result.started + WATCH_INTERVAL);
        r = tftp_transfer_new(&transfer, loop, &config, on_done, &result);
        if (r < 0) {
                fprintf(stderr, "%s\n", strerrorname_np(-r));
                return EXIT_FAILURE;
        }
        result.transfer = transfer;
        return event_loop_run(loop);
}
