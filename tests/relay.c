/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A line of a given length between two network namespaces, for kernels without sch_netem:
 *
 *   relay [--delay SPAN] [--loss PERCENT] [--seed N] NAME NETNS NAME
 *
 * Makes a TAP device here and one in the other namespace and passes frames between them, each after the one-way delay. Of the
 * frames that carry data (IPv4 and IPv6, not ARP nor ICMPv6: resolving addresses is not what is measured) the given share is
 * lost: which, counted in each direction, depends on the seed and on nothing else. On SIGUSR1 it counts from the start again, on SIGUSR2
 * it does that with the next seed. Frames keep their order. Prints one line when the devices are there, and how many frames
 * passed and were lost when it is terminated.
 */

#include "base/cleanup.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define FRAME_MAX \
        1520 /* what is as long or longer is lost, as on a path of 1500 behind ports that carry more */
#define SLOTS 32768 /* frames on the way in one direction: 100 ms at 300,000 a second; a power of two */

/* Frames read before others that are due are written: more would delay those, fewer would cost a system call each. */
#define BURST 16

/* Waking up takes up to that long on a virtual machine: the last of a frame's way is spent awake. */
#define WAKE_UP 150

typedef struct Frame {
        uint64_t due;
        uint16_t size;
        uint8_t data[FRAME_MAX];
} Frame;

typedef struct Direction {
        int from, to;
        uint64_t n_data; /* frames that could have been lost with this seed */
        Frame *ring;     /* used from head to tail, both only counted up */
        uint64_t head, tail;
        uint64_t n_passed, n_lost, n_overrun;
} Direction;

static uint64_t delay, seed = 1;
static uint32_t loss; /* of 2^32 */
static Direction directions[2];

/* Blocked but in ppoll(): none is lost, and no state changes elsewhere. */
static bool terminated;

static void on_signal(int number) {
        switch (number) {
        case SIGUSR2:
                seed++;
                __attribute__((fallthrough));
        case SIGUSR1:
                directions[0].n_data = directions[1].n_data = 0;
                break;
        default:
                terminated = true;
        }
}

/* splitmix64 */
static uint32_t draw(uint64_t stream, uint64_t index) {
        uint64_t z = (stream << 40) + (index + 1) * 0x9e3779b97f4a7c15;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return (uint32_t) (z >> 32);
}

static bool is_lost(Direction *d, const uint8_t *frame, size_t size) {
        bool data = size >= 34 &&
                        ((frame[12] == 0x08 && frame[13] == 0x00) ||
                                        (frame[12] == 0x86 && frame[13] == 0xdd &&
                                                        frame[20] != IPPROTO_ICMPV6));

        return data && draw(2 * seed + (d == &directions[1]), d->n_data++) < loss;
}

static void read_frames(Direction *d, uint64_t now) {
        for (unsigned i = 0; i < BURST; i++) {
                Frame *frame = &d->ring[d->tail % SLOTS];
                uint8_t overrun[FRAME_MAX];
                bool full = d->tail - d->head >= SLOTS;
                ssize_t n = read(d->from, full ? overrun : frame->data, FRAME_MAX);

                if (n <= 0)
                        return;
                if (full)
                        d->n_overrun++;
                else if (n == FRAME_MAX || is_lost(d, frame->data, (size_t) n))
                        d->n_lost++;
                else {
                        frame->due = now + delay;
                        frame->size = (uint16_t) n;
                        d->tail++;
                }
        }
}

static void write_frames(Direction *d, uint64_t now) {
        for (unsigned i = 0; i < BURST && d->head < d->tail; i++) {
                Frame *frame = &d->ring[d->head % SLOTS];

                if (frame->due > now)
                        return;
                if (write(d->to, frame->data, frame->size) >= 0)
                        d->n_passed++;
                d->head++;
        }
}

static uint64_t next_due(const Direction *d) {
        return d->head < d->tail ? d->ring[d->head % SLOTS].due : USEC_INFINITY;
}

static void relay(const sigset_t *signals) {
        while (!terminated) {
                struct pollfd fds[2] = {
                        { .fd = directions[0].from, .events = POLLIN },
                        { .fd = directions[1].from, .events = POLLIN },
                };
                uint64_t due = MIN(next_due(&directions[0]), next_due(&directions[1])),
                         now = time_now_boottime();
                uint64_t wait = due == USEC_INFINITY  ? USEC_PER_SEC
                                : due > now + WAKE_UP ? due - now - WAKE_UP
                                                      : 0;
                struct timespec ts = { .tv_sec = (time_t) (wait / USEC_PER_SEC),
                        .tv_nsec = (long) (wait % USEC_PER_SEC * 1000) };

                if (ppoll(fds, 2, &ts, signals) < 0 && errno != EINTR)
                        return;
                now = time_now_boottime();
                for (unsigned i = 0; i < 2; i++) {
                        write_frames(&directions[i], now);
                        if (fds[i].revents & POLLIN)
                                read_frames(&directions[i], now);
                }
        }
}

static int open_tap(const char *name) {
        struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
        int fd;

        if (text_copy(request.ifr_name, sizeof(request.ifr_name), name) < 0)
                return -1;
        fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
                return -1;
        return fd;
}

/* A namespace can only be left by the thread that is in it: its device is made while we are there. */
static int open_tap_in(const char *namespace, const char *name) {
        _cleanup_close_ int home = -1, there = -1;
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "/run/netns/%s", namespace);
        home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        there = open(path, O_RDONLY | O_CLOEXEC);
        if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
                return -1;
        fd = open_tap(name);
        if (setns(home, CLONE_NEWNET) < 0)
                return -1;
        return fd;
}

static bool parse_options(int argc, char **argv) {
        static const struct option options[] = {
                { "delay", required_argument, NULL, 'd' },
                { "loss", required_argument, NULL, 'l' },
                { "seed", required_argument, NULL, 's' },
                {},
        };
        double percent;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'd':
                        if (time_parse_span(optarg, &delay) < 0)
                                return false;
                        break;
                case 'l':
                        percent = strtod(optarg, NULL);
                        if (percent < 0 || percent > 99)
                                return false;
                        loss = (uint32_t) (percent / 100 * UINT32_MAX);
                        break;
                case 's':
                        if (text_parse_u64(optarg, UINT64_MAX, &seed) < 0 || seed == 0)
                                return false;
                        break;
                default:
                        return false;
                }
        return argc - optind == 3;
}

int main(int argc, char **argv) {
        static const int numbers[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
        sigset_t blocked, before;
        int a, b;

        if (!parse_options(argc, argv)) {
                fputs("usage: relay [--delay SPAN] [--loss PERCENT] [--seed N] NAME NETNS NAME\n", stderr);
                return EXIT_FAILURE;
        }
        a = open_tap(argv[optind]);
        b = a < 0 ? -1 : open_tap_in(argv[optind + 1], argv[optind + 2]);
        if (b < 0) {
                perror("relay");
                return EXIT_FAILURE;
        }
        directions[0] = (Direction){ .from = a, .to = b, .ring = calloc(SLOTS, sizeof(Frame)) };
        directions[1] = (Direction){ .from = b, .to = a, .ring = calloc(SLOTS, sizeof(Frame)) };
        if (!directions[0].ring || !directions[1].ring)
                return EXIT_FAILURE;

        prctl(PR_SET_TIMERSLACK, 1); /* nanosecond, not the 50 us that would show at both ends */
        sigemptyset(&blocked);
        for (unsigned i = 0; i < ELEMENTSOF(numbers); i++) {
                sigaddset(&blocked, numbers[i]);
                signal(numbers[i], on_signal);
        }
        sigprocmask(SIG_BLOCK, &blocked, &before);
        puts("ready");
        fflush(stdout);
        relay(&before);
        for (unsigned i = 0; i < 2; i++)
                printf("%s: %" PRIu64 " passed, %" PRIu64 " lost, %" PRIu64 " overrun\n",
                                i == 0 ? "there" : "back", directions[i].n_passed, directions[i].n_lost,
                                directions[i].n_overrun);
        return EXIT_SUCCESS;
}
