/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a link can do at all with datagrams of a size:
 *
 *   udp-flood receive PORT COUNT              takes so many, or what comes until nothing does for a second, and prints bytes and
 *                                             microseconds from the first one's arrival to the last one's having been read
 *   udp-flood send ADDRESS PORT SIZE COUNT    sends them, one after the other
 */

#include "base/cleanup.h"
#include "base/time.h"
#include "net/ip-address.h"

#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define RECEIVE_BUFFER (512 * 1024 * 1024) /* of all of them: nothing is to be lost here */
#define SIZE_MAX_UDP 65507

/* When the last one that was read had come: the sender may be well ahead before we run. The first call has the kernel take the times. */
static uint64_t arrived(int fd) {
        struct timespec ts = {};

        (void) ioctl(fd, SIOCGSTAMPNS, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static int receive(uint16_t port, uint64_t n) {
        static uint8_t data[SIZE_MAX_UDP];
        SocketAddress address = { .in = { .sin_family = AF_INET, .sin_port = htons(port) } };
        const int size = RECEIVE_BUFFER;
        uint64_t first = 0, last = 0, bytes = 0;
        struct pollfd pollfd = { .events = POLLIN };

        pollfd.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (pollfd.fd < 0 || setsockopt(pollfd.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
                        bind(pollfd.fd, &address.sa, sizeof(address.in)) < 0)
                return -1;
        (void) arrived(pollfd.fd);
        puts("ready");
        fflush(stdout);
        while (n-- > 0 && poll(&pollfd, 1, first ? 1000 : 10000) > 0) {
                bytes += (uint64_t) recv(pollfd.fd, data, sizeof(data), 0);
                last = time_now_realtime();
                first = first ? first : arrived(pollfd.fd);
        }
        printf("%" PRIu64 " %" PRIu64 "\n", bytes, last - first);
        return 0;
}

static int flood(const char *host, uint16_t port, size_t size, uint64_t n) {
        static const uint8_t data[SIZE_MAX_UDP];
        SocketAddress to;
        IpAddress ip;
        int fd;

        if (ip_address_parse(host, &ip) < 0 || size > sizeof(data))
                return -1;
        to = socket_address(&ip, port, 0);
        fd = socket(ip.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        while (n-- > 0)
                if (sendto(fd, data, size, 0, &to.sa, socket_address_size(&to)) < 0)
                        return -1;
        return 0;
}

int main(int argc, char **argv) {
        int r = -1;

        if (argc == 4 && strcmp(argv[1], "receive") == 0)
                r = receive((uint16_t) atoi(argv[2]), strtoull(argv[3], NULL, 10));
        else if (argc == 6 && strcmp(argv[1], "send") == 0)
                r = flood(argv[2], (uint16_t) atoi(argv[3]), strtoul(argv[4], NULL, 10),
                                strtoull(argv[5], NULL, 10));
        else
                fputs("usage: udp-flood receive PORT COUNT | send ADDRESS PORT SIZE COUNT\n", stderr);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
