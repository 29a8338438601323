/* SPDX-License-Identifier: Apache-2.0 */
#include "net/packet-socket.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Answers for all ports of a large switch at once. */
#define RECEIVE_BUFFER_SIZE (4 * 1024 * 1024)

int packet_socket_open(uint16_t protocol, const struct sock_filter *filter, size_t n_filter) {
        struct sockaddr_ll all_ports = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
        struct sock_fprog program = { .len = (unsigned short) n_filter,
                .filter = (struct sock_filter *) filter };
        int on = 1, size = RECEIVE_BUFFER_SIZE;
        _cleanup_close_ int fd = -1;

        /*
         * Protocol 0 receives nothing, so no packet gets in before the filter is there; and it spares the 16 ms that the kernel
         * takes to change a receive hook that is already in place.
         */
        fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
                        setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
                        bind(fd, (struct sockaddr *) &all_ports, sizeof(all_ports)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static bool checksum_ready(struct msghdr *message) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
                if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA &&
                                c->cmsg_len == CMSG_LEN(sizeof(struct tpacket_auxdata))) {
                        struct tpacket_auxdata auxiliary;

                        memcpy(&auxiliary, CMSG_DATA(c), sizeof(auxiliary));
                        return !(auxiliary.tp_status & TP_STATUS_CSUMNOTREADY);
                }
        return true;
}

int packet_socket_receive(int fd, uint8_t *data, size_t size, unsigned char also,
                struct sockaddr_ll *ret_from, size_t *ret_size, bool *ret_checksum_ready) {
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        } control;
        struct msghdr message = {
                .msg_name = ret_from,
                .msg_namelen = sizeof(*ret_from),
                .msg_iov = &(struct iovec){ data, size },
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(fd, &message, 0);

        if (n < 0)
                return errno == EAGAIN ? 0 : -errno;
        /* Frames for others are seen on a port that somebody has made promiscuous, or with a VLAN tag that nobody asked for. */
        if ((message.msg_flags & MSG_TRUNC) ||
                        (ret_from->sll_pkttype != PACKET_HOST && ret_from->sll_pkttype != also))
                return -EBADMSG;
        *ret_size = (size_t) n;
        *ret_checksum_ready = checksum_ready(&message);
        return 1;
}

int packet_socket_send(
                int fd, uint16_t protocol, int ifindex, const struct ether_addr *to, const Buffer *packet) {
        struct sockaddr_ll address = {
                .sll_family = AF_PACKET,
                .sll_protocol = htons(protocol),
                .sll_ifindex = ifindex,
                .sll_halen = ETH_ALEN,
        };
        int r = buffer_status(packet);

        if (r < 0)
                return r;
        memcpy(address.sll_addr, to, sizeof(*to));
        return sendto(fd, packet->p, packet->size, 0, (struct sockaddr *) &address, sizeof(address)) < 0
                        ? -errno
                        : 0;
}
