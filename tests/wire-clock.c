/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When did a client say its first and its last word?
 *
 *   wire-clock INTERFACE
 *
 * Takes the time of all UDP packets that leave by an interface, in the kernel, and looks at them only when its standard input
 * ends: nothing wakes up while a transfer runs. Prints one line when it listens, and at the end the microseconds from the
 * first packet to the last and their number. So programs can be compared by what they do on the wire, without the time that
 * each needs to be loaded.
 */

#include "base/cleanup.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

/* UDP over IPv4 or IPv6, outgoing; 64 bytes of it. */
static struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t) (SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 7),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 9),
        BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 64),
};

static int open_packet_socket(const char *interface) {
        _cleanup_close_ int fd = -1;
        struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };
        struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
        const int on = 1, size = 256 * 1024 * 1024;

        address.sll_ifindex = (int) if_nametoindex(interface);
        if (address.sll_ifindex == 0)
                return -errno;
        fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
                        bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* The time of the next packet taken, or 0. */
static uint64_t receive(int fd) {
        uint8_t data[64], control[CMSG_SPACE(sizeof(struct timespec))];
        struct iovec part = { .iov_base = data, .iov_len = sizeof(data) };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control),
        };

        if (recvmsg(fd, &message, MSG_DONTWAIT) < 0)
                return 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
                        const struct timespec *ts = (const struct timespec *) CMSG_DATA(c);

                        return (uint64_t) ts->tv_sec * USEC_PER_SEC + (uint64_t) ts->tv_nsec / 1000;
                }
        return 0;
}

int main(int argc, char **argv) {
        uint64_t first = 0, last = 0, t;
        unsigned n = 0;
        int fd;

        fd = argc == 2 ? open_packet_socket(argv[1]) : -EINVAL;
        if (fd < 0) {
                errno = -fd;
                perror("wire-clock");
                return EXIT_FAILURE;
        }
        puts("ready");
        fflush(stdout);
        while (getchar() != EOF)
                ;
        while ((t = receive(fd)) > 0) {
                first = first ? first : t;
                last = t;
                n++;
        }
        printf("%" PRIu64 " %u\n", last - first, n);
        close(fd);
        return EXIT_SUCCESS;
}
