/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "agent/handover.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct Pair {
        int a, b;
} Pair;

static int setup(void **state) {
        static Pair pair;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return -1;
        pair = (Pair){ fds[0], fds[1] };
        *state = &pair;
        return 0;
}

static int teardown(void **state) {
        Pair *pair = *state;

        close(pair->a);
        return close(pair->b);
}

static unsigned count_descriptors(void) {
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        while (readdir(directory))
                n++;
        closedir(directory);
        return n;
}

static int sealed_file(const char *text) {
        int fd = memfd_new("test");

        assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
        assert_int_equal(memfd_seal(fd), 0);
        return fd;
}

static void test_round_trip(void **state) {
        _cleanup_close_ int fd = sealed_file("hello"), got = -1;
        HandoverRequest request, received;
        Pair *pair = *state;
        char text[5];

        handover_request_init(&request, "tftp://192.0.2.1/x", "eth0");
        request.flags = HANDOVER_ENCRYPTED;
        assert_int_equal(handover_send(pair->a, &request, fd, -1), 0);
        assert_int_equal(handover_receive(pair->b, &received, &got, NULL), 0);
        assert_memory_equal(&received, &request, sizeof(request));
        assert_int_equal(received.size, 5);
        assert_int_equal(pread(got, text, 5, 0), 5);
        assert_memory_equal(text, "hello", 5);
        assert_int_equal(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

/* The second hop: the connection on which to answer goes with the file. */
static void test_passed_on(void **state) {
        _cleanup_close_ int fd = sealed_file("hello"), got = -1, reply = -1, asker = -1, asked = -1;
        char reason[HANDOVER_REASON_MAX];
        HandoverRequest request, received;
        Pair *pair = *state;
        Verdict verdict;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        asker = fds[0];
        asked = fds[1];
        handover_request_init(&request, "x", "");
        assert_int_equal(handover_send(pair->a, &request, fd, asked), 0);
        assert_int_equal(handover_receive(pair->b, &received, &got, &reply), 0);
        assert_int_equal(handover_wait_taken(pair->a), -EAGAIN);
        assert_int_equal(shutdown(pair->b, SHUT_WR), 0);
        assert_int_equal(handover_wait_taken(pair->a), 0);
        assert_int_equal(handover_reply(reply, VERDICT_CHECK_REFUSED, "no"), 0);
        assert_int_equal(handover_receive_reply(asker, &verdict, reason), 0);
        assert_int_equal(verdict, VERDICT_CHECK_REFUSED);
}

/* Who expects a connection takes no request without one, and the other way round. */
static void test_not_as_agreed(void **state) {
        _cleanup_close_ int fd = sealed_file("hello");
        unsigned before = count_descriptors();
        HandoverRequest request, received;
        int got = -1, reply = -1;
        Pair *pair = *state;

        handover_request_init(&request, "x", "");
        assert_int_equal(handover_send(pair->a, &request, fd, -1), 0);
        assert_int_equal(handover_receive(pair->b, &received, &got, &reply), -EBADMSG);
        assert_int_equal(handover_send(pair->a, &request, fd, fd), 0);
        assert_int_equal(handover_receive(pair->b, &received, &got, NULL), -EBADMSG);
        assert_int_equal(handover_reply(pair->b, VERDICT_INSTALLED, ""), 0);
        assert_int_equal(handover_wait_taken(pair->a), -EPROTO);
        assert_int_equal(got, -1);
        assert_int_equal(reply, -1);
        assert_int_equal(count_descriptors(), before);
}

static void test_unsealed_is_not_sent(void **state) {
        _cleanup_close_ int fd = memfd_new("test");
        HandoverRequest request;
        Pair *pair = *state;

        handover_request_init(&request, "x", "");
        assert_int_equal(handover_send(pair->a, &request, fd, -1), -EPERM);
}

/* What handover_send() would never send. */
static void send_raw(Pair *pair, const void *data, size_t size, const int *fds, size_t n_fds) {
        union {
                struct cmsghdr header;
                uint8_t space[CMSG_SPACE(8 * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { (void *) data, size };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (n_fds > 0) {
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        }
        assert_int_equal(sendmsg(pair->a, &message, 0), size);
}

static void assert_refused(Pair *pair, const void *data, size_t size, const int *fds, size_t n_fds) {
        unsigned before = count_descriptors();
        HandoverRequest received;
        int got = -1;

        send_raw(pair, data, size, fds, n_fds);
        assert_int_equal(handover_receive(pair->b, &received, &got, NULL), -EBADMSG);
        assert_int_equal(got, -1);
        assert_int_equal(count_descriptors(), before);
}

static HandoverRequest good_request(void) {
        HandoverRequest request;

        handover_request_init(&request, "tftp://192.0.2.1/x", "eth0");
        request.size = 5;
        return request;
}

static void test_hostile_fields(void **state) {
        static const struct {
                size_t offset;
                uint8_t value;
        } rows[] = {
                { offsetof(HandoverRequest, magic), 'X' },
                { offsetof(HandoverRequest, magic) + 7, '2' },
                { offsetof(HandoverRequest, flags), HANDOVER_ROOT }, /* a ticket alone can say so */
                { offsetof(HandoverRequest, flags), HANDOVER_MERGE },
                { offsetof(HandoverRequest, flags), 16 },
                { offsetof(HandoverRequest, flags) + 3, 1 },
                { offsetof(HandoverRequest, reserved), 1 },
                { offsetof(HandoverRequest, size), 4 },
                { offsetof(HandoverRequest, size) + 7, 0x80 },
                { offsetof(HandoverRequest, origin), 0 },
                { offsetof(HandoverRequest, origin), '\n' },
                { offsetof(HandoverRequest, origin) + 3, 0xff },
                { offsetof(HandoverRequest, interface), 0x1b },
                { offsetof(HandoverRequest, key_fingerprint), 'a' }, /* too short */
                { offsetof(HandoverRequest, key_fingerprint), 'x' },
        };
        _cleanup_close_ int fd = sealed_file("hello");

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                HandoverRequest request = good_request();

                ((uint8_t *) &request)[rows[i].offset] = rows[i].value;
                assert_refused(*state, &request, sizeof(request), &fd, 1);
        }
}

static void test_unterminated_text(void **state) {
        _cleanup_close_ int fd = sealed_file("hello");
        HandoverRequest request = good_request();

        memset(request.origin, 'x', sizeof(request.origin));
        assert_refused(*state, &request, sizeof(request), &fd, 1);
        request = good_request();
        memset(request.interface, 'x', sizeof(request.interface));
        assert_refused(*state, &request, sizeof(request), &fd, 1);
        request = good_request();
        memset(request.key_fingerprint, 'a', sizeof(request.key_fingerprint));
        assert_refused(*state, &request, sizeof(request), &fd, 1);
}

static void test_hostile_sizes(void **state) {
        _cleanup_close_ int fd = sealed_file("hello");
        uint8_t longer[sizeof(HandoverRequest) + 1] = { 0 };
        HandoverRequest request = good_request();

        memcpy(longer, &request, sizeof(request));
        assert_refused(*state, longer, sizeof(longer), &fd, 1);
        for (size_t n = 1; n < sizeof(request); n++)
                assert_refused(*state, &request, n, &fd, 1);
}

static void test_hostile_descriptors(void **state) {
        _cleanup_close_ int fd = sealed_file("hello"), unsealed = memfd_new("test"),
                            null = open("/dev/null", O_RDWR), writable = memfd_new("test");
        HandoverRequest request = good_request();

        assert_int_equal(file_write_all(unsealed, "hello", 5), 0);
        assert_int_equal(file_write_all(writable, "hello", 5), 0);
        assert_int_equal(fcntl(writable, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
        assert_refused(*state, &request, sizeof(request), NULL, 0);
        assert_refused(*state, &request, sizeof(request), (int[]){ fd, fd }, 2);
        assert_refused(*state, &request, sizeof(request), (int[]){ fd, fd, fd, fd, fd, fd, fd, fd }, 8);
        assert_refused(*state, &request, sizeof(request), &unsealed, 1);
        assert_refused(*state, &request, sizeof(request), &writable, 1);
        assert_refused(*state, &request, sizeof(request), &null, 1);
}

/* Root's ticket: with all that a request may not say, and no file. */
static void test_ticket(void **state) {
        static const uint32_t bad_flags[] = { 0, HANDOVER_MERGE, HANDOVER_ROOT | HANDOVER_ENCRYPTED,
                HANDOVER_ROOT | HANDOVER_CHECK_ONLY };
        _cleanup_close_ int fd = sealed_file("hello");
        HandoverRequest ticket, received;
        Pair *pair = *state;
        int got = -1;

        handover_request_init(&ticket, "/root/sw1.enc", "");
        ticket.flags = HANDOVER_ROOT | HANDOVER_MERGE;
        memset(ticket.sha256, 7, sizeof(ticket.sha256));
        assert_int_equal(handover_receive_ticket(pair->b, &received), -EAGAIN);
        assert_int_equal(handover_send_ticket(pair->a, &ticket), 0);
        assert_int_equal(handover_receive_ticket(pair->b, &received), 0);
        assert_int_equal(received.flags, HANDOVER_ROOT | HANDOVER_MERGE);
        assert_string_equal(received.origin, "/root/sw1.enc");
        assert_memory_equal(received.sha256, ticket.sha256, sizeof(ticket.sha256));

        for (size_t i = 0; i < ELEMENTSOF(bad_flags); i++) {
                ticket.flags = bad_flags[i];
                assert_int_equal(handover_send_ticket(pair->a, &ticket), 0);
                assert_int_equal(handover_receive_ticket(pair->b, &received), -EBADMSG);
        }
        ticket.flags = HANDOVER_ROOT;
        for (size_t n = 1; n < sizeof(ticket); n++) {
                assert_int_equal(send(pair->a, &ticket, n, 0), n);
                assert_int_equal(handover_receive_ticket(pair->b, &received), -EBADMSG);
        }
        /* A ticket is not a request, and a request is not a ticket. */
        assert_int_equal(handover_send(pair->a, &ticket, fd, -1), 0);
        assert_int_equal(handover_receive_ticket(pair->b, &received), -EBADMSG);
        assert_int_equal(handover_send_ticket(pair->a, &ticket), 0);
        assert_int_equal(handover_receive(pair->b, &received, &got, NULL), -EBADMSG);
        shutdown(pair->a, SHUT_RDWR);
        assert_int_equal(handover_receive_ticket(pair->b, &received), -ENODATA);
}

/* A reader that takes no replies does not hold up the one who answers. */
static void test_reply_to_a_full_socket(void **state) {
        int fds[2], r = 0;

        (void) state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds),
                        0); /* these would wait */
        for (unsigned i = 0; i < 10000 && r == 0; i++)
                r = handover_reply(fds[0], VERDICT_EMPTY, "full");
        assert_int_equal(r, -EAGAIN);
        close(fds[0]);
        close(fds[1]);
}

static void test_peer_has_gone(void **state) {
        HandoverRequest received;
        Pair *pair = *state;
        int got = -1;

        assert_int_equal(handover_receive(pair->b, &received, &got, NULL), -EAGAIN);
        shutdown(pair->a, SHUT_RDWR);
        assert_int_equal(handover_receive(pair->b, &received, &got, NULL), -ENODATA);
}

static void test_reply(void **state) {
        char reason[HANDOVER_REASON_MAX], long_reason[1000];
        Pair *pair = *state;
        Verdict verdict;

        assert_int_equal(handover_receive_reply(pair->b, &verdict, reason), -EAGAIN);
        assert_int_equal(handover_reply(pair->a, VERDICT_OTHER_DEVICE, "it is for SN1"), 0);
        assert_int_equal(handover_receive_reply(pair->b, &verdict, reason), 0);
        assert_int_equal(verdict, VERDICT_OTHER_DEVICE);
        assert_string_equal(reason, "it is for SN1");

        memset(long_reason, 'r', sizeof(long_reason));
        long_reason[sizeof(long_reason) - 1] = '\0';
        assert_int_equal(handover_reply(pair->a, VERDICT_MALFORMED, long_reason), 0);
        assert_int_equal(handover_receive_reply(pair->b, &verdict, reason), 0);
        assert_int_equal(strlen(reason), HANDOVER_REASON_MAX - 1);
}

static void test_hostile_replies(void **state) {
        Pair *pair = *state;
        HandoverReply good = { .verdict = VERDICT_INSTALLED };
        char reason[HANDOVER_REASON_MAX] = "untouched";
        Verdict verdict = _VERDICT_MAX;

        memcpy(good.magic, "SDI-RPL1", sizeof(good.magic));
        for (unsigned i = 0; i < 6; i++) {
                HandoverReply reply = good;
                size_t size = sizeof(reply);

                switch (i) {
                case 0:
                        reply.magic[0] = 'X';
                        break;
                case 1:
                        reply.verdict = _VERDICT_MAX;
                        break;
                case 2:
                        reply.reserved = 1;
                        break;
                case 3:
                        reply.reason[0] = 0x1b;
                        break;
                case 4:
                        memset(reply.reason, 'x', sizeof(reply.reason));
                        break;
                case 5:
                        size--;
                        break;
                }
                assert_int_equal(send(pair->a, &reply, size, 0), size);
                assert_int_equal(handover_receive_reply(pair->b, &verdict, reason), -EBADMSG);
        }
        assert_string_equal(reason, "untouched");
        assert_int_equal(send(pair->a, &good, sizeof(good), 0), sizeof(good));
        assert_int_equal(handover_receive_reply(pair->b, &verdict, reason), 0);
        shutdown(pair->a, SHUT_RDWR);
        assert_int_equal(handover_receive_reply(pair->b, &verdict, reason), -ECONNRESET);
}

/* Whoever listens must be root: else somebody has put a socket of theirs in the place of systemd's. */
static void test_connect_checks_who_listens(void **state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd_listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd = -1;

        (void) state;
        snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/sdi-handover-%d", getpid());
        assert_int_equal(handover_connect(address.sun_path), -ENOENT);
        assert_int_equal(bind(fd_listen, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(handover_connect(address.sun_path), -ECONNREFUSED);
        assert_int_equal(listen(fd_listen, 1), 0);
        fd = handover_connect(address.sun_path);
        if (geteuid() == 0)
                assert_true(fd >= 0);
        else
                assert_int_equal(fd, -EPERM);

        if (geteuid() == 0) {
                _cleanup_close_ int fd_other = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

                assert_int_equal(unlink(address.sun_path), 0);
                assert_int_equal(bind(fd_other, (struct sockaddr *) &address, sizeof(address)), 0);
                assert_int_equal(seteuid(65534), 0);
                assert_int_equal(listen(fd_other, 1), 0);
                assert_int_equal(seteuid(0), 0);
                assert_int_equal(handover_connect(address.sun_path), -EPERM);
        }
        assert_int_equal(unlink(address.sun_path), 0);
}

static int listen_as_root(struct sockaddr_un *address) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/sdi-handover-%d", getpid());
        assert_int_equal(bind(fd, (struct sockaddr *) address, sizeof(*address)), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

/* A connection made ahead is used while its receiver waits for certain; then it is closed, and a new one made. */
static void test_ahead(void **state) {
        _cleanup_close_ int fd_listen = -1, fd_first = -1, fd_second = -1, fd = -1;
        HandoverAhead ahead = { .fd = -1 };
        struct sockaddr_un address;
        int prepared;
        char byte;

        (void) state;
        if (geteuid() != 0)
                return; /* only root's sockets are connected to */
        handover_prepare(&ahead, "/nowhere");
        assert_true(ahead.fd < 0);
        assert_int_equal(handover_take(&ahead, "/nowhere"), -ENOENT);

        fd_listen = listen_as_root(&address);
        handover_prepare(&ahead, address.sun_path);
        prepared = ahead.fd;
        assert_true(prepared >= 0);
        handover_prepare(&ahead, address.sun_path);
        assert_int_equal(ahead.fd, prepared);
        fd_first = accept(fd_listen, NULL, NULL);
        assert_int_equal(accept(fd_listen, NULL, NULL), -1);
        fd = handover_take(&ahead, address.sun_path);
        assert_int_equal(fd, prepared);
        assert_int_equal(ahead.fd, -1);
        assert_int_equal(send(fd, "x", 1, 0), 1);
        assert_int_equal(recv(fd_first, &byte, 1, 0), 1);
        close(TAKE_FD(fd));

        handover_prepare(&ahead, address.sun_path);
        ahead.since -= HANDOVER_PATIENCE_USEC;
        close(TAKE_FD(fd_first));
        fd_first = accept(fd_listen, NULL, NULL);
        fd = handover_take(&ahead, address.sun_path);
        fd_second = accept(fd_listen, NULL, NULL);
        assert_int_equal(recv(fd_first, &byte, 1, 0), 0);
        assert_int_equal(send(fd, "x", 1, 0), 1);
        assert_int_equal(recv(fd_second, &byte, 1, 0), 1);
        assert_int_equal(unlink(address.sun_path), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_passed_on, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_as_agreed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unsealed_is_not_sent, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile_fields, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unterminated_text, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile_sizes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile_descriptors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ticket, setup, teardown),
                cmocka_unit_test(test_reply_to_a_full_socket),
                cmocka_unit_test_setup_teardown(test_peer_has_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reply, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile_replies, setup, teardown),
                cmocka_unit_test(test_connect_checks_who_listens),
                cmocka_unit_test(test_ahead),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
