/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A DHCPv4 server that misbehaves: dhcp4-hostile INTERFACE MISBEHAVIOUR (dhcp4-hostile --list prints them). It answers each message of a
 * client with a wrong one, or floods the link; it never gives a lease that a good client takes, but for those named good-*.
 */

#include "base/cleanup.h"
#include "base/time.h"
#include "net/dhcp4-message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER 0xc0000202u
#define ADDRESS 0xc0000232u
#define FLOOD_RATE 10000u /* a second */

#define ZERO 0xdeadbeefu /* stands for a zero in what follows, where zero stands for what is right */

typedef struct Answer {
        uint32_t xid_off, chaddr_off, address, lifetime, t1, t2, server;
        Dhcp4Type type; /* 0: OFFER for a DISCOVER, ACK for a REQUEST */
        bool request;   /* op */
        bool no_server, no_lifetime;
        size_t cut; /* so many bytes of the message are missing */
} Answer;

typedef struct Misbehaviour {
        const char *name;
        Answer to_discover, to_request;
        bool flood; /* the answer to a DISCOVER, again and again */
} Misbehaviour;

static const Misbehaviour misbehaviours[] = {
        { "wrong-xid", { .xid_off = 1 }, { .xid_off = 1 } },
        { "wrong-chaddr", { .chaddr_off = 1 }, { .chaddr_off = 1 } },
        { "request-for-an-answer", { .request = true }, { .request = true } },
        { "zero-address", { .address = ZERO }, { 0 } },
        { "broadcast-address", { .address = 0xffffffff }, { 0 } },
        { "network-address", { .address = 0xc0000200 }, { 0 } },
        { "loopback-address", { .address = 0x7f000001 }, { 0 } },
        { "multicast-address", { .address = 0xe0000001 }, { 0 } },
        { "no-lease-time", { .no_lifetime = true }, { 0 } },
        { "lease-of-zero-seconds", { .lifetime = ZERO }, { 0 } },
        { "no-server", { .no_server = true }, { 0 } },
        { "broadcast-server", { .server = 0xffffffff }, { 0 } },
        { "ack-without-request", { .type = DHCP4_ACK }, { 0 } },
        { "nak-to-a-discover", { .type = DHCP4_NAK }, { 0 } },
        { "nak-of-another-server", { 0 }, { .type = DHCP4_NAK, .server = SERVER + 1 } },
        { "nak-to-each-request", { 0 }, { .type = DHCP4_NAK } },
        { "offer-to-a-request", { 0 }, { .type = DHCP4_OFFER } },
        { "another-address-acknowledged", { 0 }, { .address = ADDRESS + 1 } },
        { "another-server-acknowledges", { 0 }, { .server = SERVER + 1 } },
        { "acknowledged-for-zero-seconds", { 0 }, { .lifetime = ZERO } },
        { "cut-in-the-frame", { .cut = 200 }, { 0 } },
        { "cut-in-an-option", { .cut = 3 }, { 0 } },
        { "flood-of-offers", { .xid_off = 1 }, { .xid_off = 1 }, .flood = true },
        { "flood-of-naks", { .type = DHCP4_NAK }, { .type = DHCP4_NAK }, .flood = true },
        /* These are leases: T1 and T2 that make no sense do not count. */
        { "good-lease-with-t2-before-t1", { 0 }, { .t1 = 3000, .t2 = 1000 } },
        { "good-lease-renewed-at-once", { 0 }, { .t2 = 1 } },
};

static struct in_addr number(uint32_t value, uint32_t right) {
        return (struct in_addr){ value == 0 ? htonl(right) : value == ZERO ? 0 : htonl(value) };
}

static size_t build(uint8_t *memory, size_t size, const Dhcp4Message *question, const Answer *answer) {
        Dhcp4Header header = {
                .reply = !answer->request,
                .xid = question->header.xid + answer->xid_off,
                .yiaddr = number(answer->address, ADDRESS),
                .chaddr = question->header.chaddr,
        };
        Dhcp4Type type = question->type == DHCP4_DISCOVER ? DHCP4_OFFER : DHCP4_ACK;
        Buffer buffer = BUFFER(memory, size);

        header.chaddr.ether_addr_octet[5] += (uint8_t) answer->chaddr_off;
        dhcp4_build_begin(&buffer, &header, answer->type ? answer->type : type);
        if (!answer->no_server)
                dhcp4_append_address(&buffer, DHCP4_OPTION_SERVER_ID, number(answer->server, SERVER));
        if (!answer->no_lifetime)
                dhcp4_append_address(&buffer, DHCP4_OPTION_LEASE_TIME, number(answer->lifetime, 3600));
        if (answer->t2) {
                dhcp4_append_address(&buffer, DHCP4_OPTION_T1, number(answer->t1, 0));
                dhcp4_append_address(&buffer, DHCP4_OPTION_T2, number(answer->t2, 0));
        }
        dhcp4_append_address(&buffer, DHCP4_OPTION_SUBNET_MASK, (struct in_addr){ htonl(0xffffff00) });
        dhcp4_append_option(&buffer, DHCP4_OPTION_TFTP_SERVER_NAME, "192.0.2.2", 9);
        if (answer->cut == 0)
                dhcp4_build_end(&buffer);
        return buffer.size - answer->cut;
}

static int open_socket(const char *interface) {
        struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(DHCP4_SERVER_PORT) };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
                                        (socklen_t) strlen(interface) + 1) < 0 ||
                        bind(fd, (struct sockaddr *) &any, sizeof(any)) < 0)
                return -errno;
        return fd;
}

static void answer(int fd, const Dhcp4Message *question, const Answer *how) {
        struct sockaddr_in everybody = { .sin_family = AF_INET,
                .sin_port = htons(DHCP4_CLIENT_PORT),
                .sin_addr.s_addr = INADDR_BROADCAST };
        uint8_t memory[1400];
        size_t size = build(memory, sizeof(memory), question, how);

        (void) sendto(fd, memory, size, 0, (struct sockaddr *) &everybody, sizeof(everybody));
}

static const Misbehaviour *find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(misbehaviours); i++)
                if (strcmp(misbehaviours[i].name, name) == 0)
                        return misbehaviours + i;
        return NULL;
}

static void serve(int fd, const Misbehaviour *misbehaviour) {
        static Dhcp4Message question;
        bool asked = false;

        for (;;) {
                struct pollfd pollfd = { .fd = fd, .events = POLLIN };
                uint8_t data[DHCP4_MESSAGE_MAX];
                ssize_t n;

                if (poll(&pollfd, 1, asked && misbehaviour->flood ? 10 : -1) > 0) {
                        n = recv(fd, data, sizeof(data), 0);
                        if (n < 0 || dhcp4_message_parse(&question, data, (size_t) n) < 0 ||
                                        question.header.reply)
                                continue;
                        asked = true;
                        answer(fd, &question,
                                        question.type == DHCP4_DISCOVER ? &misbehaviour->to_discover
                                                                        : &misbehaviour->to_request);
                } else
                        for (unsigned i = 0; i < FLOOD_RATE / 100; i++)
                                answer(fd, &question, &misbehaviour->to_discover);
        }
}

int main(int argc, char **argv) {
        const Misbehaviour *misbehaviour;
        int fd;

        if (argc == 2 && strcmp(argv[1], "--list") == 0) {
                for (size_t i = 0; i < ELEMENTSOF(misbehaviours); i++)
                        puts(misbehaviours[i].name);
                return EXIT_SUCCESS;
        }
        misbehaviour = argc == 3 ? find(argv[2]) : NULL;
        if (!misbehaviour) {
                fprintf(stderr, "usage: dhcp4-hostile --list | INTERFACE MISBEHAVIOUR\n");
                return EXIT_FAILURE;
        }
        fd = open_socket(argv[1]);
        if (fd < 0) {
                fprintf(stderr, "dhcp4-hostile: %s\n", strerror(-fd));
                return EXIT_FAILURE;
        }
        puts("ready");
        fflush(stdout);
        serve(fd, misbehaviour);
}
