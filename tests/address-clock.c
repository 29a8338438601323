/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How long does a DHCP client take from "the link is up" to "the address can be used"?
 *
 *   address-clock [-6] [--memory] INTERFACE COMMAND...
 *
 * INTERFACE is down; the command brings it up and gets it an address. Listens to what the kernel says about this one
 * interface, and to nothing else: that it is up and has carrier (RTM_NEWLINK), and that it has an IPv4 address, with -6 an IPv6 address,
 * of global scope that is not tentative (RTM_NEWADDR). Then ends the command with all that it has started, helpers and daemons, and prints
 *
 *   the microseconds between the two, those since the start of the command, those of CPU time of all of its processes to their end
 *
 * With --memory, samples meanwhile and for a while after it how much memory they have together, and prints the peak in KB (PSS)
 * instead.
 */

#include "base/cleanup.h"
#include "base/time.h"
#include "tests/processes.h"

#include <net/if.h> /* before linux/if.h, which is made for it */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define GIVE_UP (30 * USEC_PER_SEC)

/* So long it is sampled after the address: what a client does then is a part of its memory, too. */
#define AFTERMATH (300 * USEC_PER_MSEC)

/* A client that does not end when it is told to is killed. */
#define LAST_WORDS (300 * USEC_PER_MSEC)

static unsigned char family = AF_INET;

/* `ifi_index` and `ifa_index` have the same place. */
static_assert(offsetof(struct ifinfomsg, ifi_index) == offsetof(struct ifaddrmsg, ifa_index), "one filter");

/* None of what happens on other ports wakes us: their number must not slow down what is measured. */
static int open_events(int ifindex) {
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NLMSG_HDRLEN + offsetof(struct ifinfomsg, ifi_index)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl((uint32_t) ifindex), 0, 1),
                BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };
        struct sockaddr_nl address = {
                .nl_family = AF_NETLINK,
                .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
        };
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
                        bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

typedef struct Times {
        uint64_t up, address; /* 0: not yet */
} Times;

static void on_message(const struct nlmsghdr *header, Times *times) {
        const unsigned up = IFF_UP | IFF_LOWER_UP;
        const struct ifinfomsg *link = NLMSG_DATA(header);
        const struct ifaddrmsg *address = NLMSG_DATA(header);

        if (header->nlmsg_type == RTM_NEWLINK && times->up == 0 && (link->ifi_flags & up) == up)
                times->up = time_now_boottime();
        if (header->nlmsg_type == RTM_NEWADDR && address->ifa_family == family &&
                        address->ifa_scope == RT_SCOPE_UNIVERSE && !(address->ifa_flags & IFA_F_TENTATIVE))
                times->address = time_now_boottime();
}

static void add_memory(int pid, void *userdata) {
        uint64_t *sum = userdata;

        if (process_is_new(pid))
                *sum += process_memory(pid);
}

static void sample(uint64_t *peak) {
        uint64_t sum = 0;

        processes_for_each(add_memory, &sum);
        *peak = MAX(*peak, sum);
}

/* Waits for the address. With `peak`, samples the memory into it. */
static int watch(int fd, Times *times, uint64_t *peak) {
        struct pollfd fds = { .fd = fd, .events = POLLIN };
        uint64_t end = time_now_boottime() + GIVE_UP;
        _Alignas(struct nlmsghdr) char data[16384];

        while (times->address == 0) {
                ssize_t n;

                if (time_now_boottime() > end)
                        return -ETIMEDOUT;
                if (peak)
                        sample(peak);
                if (poll(&fds, 1, peak ? 0 : 1000) <= 0)
                        continue;
                n = recv(fd, data, sizeof(data), 0);
                if (n < 0)
                        return -errno;
                for (struct nlmsghdr *header = (struct nlmsghdr *) data; NLMSG_OK(header, n);
                                header = NLMSG_NEXT(header, n))
                        on_message(header, times);
        }
        while (peak && time_now_boottime() < times->address + AFTERMATH)
                sample(peak);
        return times->up > 0 ? 0 : -EPROTO;
}

/* The clock is read when we wake up: at once, and not when those who are measured leave us a CPU. */
static void hurry(void) {
        const struct sched_param parameters = { .sched_priority = 1 };

        if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) < 0)
                perror("address-clock: SCHED_FIFO");
}

static void start(char **command) {
        if (fork() != 0)
                return;
        setsid();
        execvp(command[0], command);
        perror(command[0]);
        _exit(EXIT_FAILURE);
}

/* Not what it has only connected to: that belongs to who has started it. */
static void send_signal(int pid, void *userdata) {
        if (process_is_new(pid) && getsid(pid) != getsid(0))
                kill(pid, *(int *) userdata);
}

/* All of its processes: those whose parent has ended are ours by now. */
static void end_all(void) {
        uint64_t begin = time_now_boottime();
        pid_t pid;

        processes_for_each(send_signal, &(int){ SIGTERM });
        do {
                pid = waitpid(-1, NULL, WNOHANG);
                if (pid == 0)
                        poll(NULL, 0, 1);
                if (pid == 0 && time_now_boottime() - begin > LAST_WORDS)
                        processes_for_each(send_signal, &(int){ SIGKILL });
        } while (pid >= 0);
}

static uint64_t cpu_usec(void) {
        struct rusage usage;

        getrusage(RUSAGE_CHILDREN, &usage);
        return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * USEC_PER_SEC +
                        (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int main(int argc, char **argv) {
        uint64_t begin, peak = 0;
        _cleanup_close_ int fd = -1;
        bool memory = false;
        Times times = {};
        int ifindex, r;

        for (; argc > 1 && argv[1][0] == '-'; argv++, argc--)
                if (strcmp(argv[1], "-6") == 0)
                        family = AF_INET6;
                else
                        memory = memory || strcmp(argv[1], "--memory") == 0;
        if (argc < 3) {
                fputs("usage: address-clock [-6] [--memory] INTERFACE COMMAND...\n", stderr);
                return EXIT_FAILURE;
        }
        ifindex = (int) if_nametoindex(argv[1]);
        fd = ifindex > 0 ? open_events(ifindex) : -errno;
        if (fd < 0) {
                fprintf(stderr, "%s: %s\n", argv[1], strerror(-fd));
                return EXIT_FAILURE;
        }
        if (!memory)
                hurry();
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        processes_mark();
        begin = time_now_boottime();
        start(argv + 2);
        r = watch(fd, &times, memory ? &peak : NULL);
        end_all();
        if (r < 0) {
                fprintf(stderr, "address-clock: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        if (memory)
                printf("%" PRIu64 "\n", peak);
        else
                printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", times.address - times.up,
                                times.address - begin, cpu_usec());
        return EXIT_SUCCESS;
}
