/* SPDX-License-Identifier: Apache-2.0 */
#include "base/event.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* So many may run one after the other before what is deferred, or what has come in by a descriptor, has its turn. */
#define TURN_MAX 64

typedef enum SourceKind {
        SOURCE_IO,
        SOURCE_TIMER,
        SOURCE_DEFERRED,
        SOURCE_SIGNAL,
} SourceKind;

struct EventSource {
        SourceKind kind;
        EventLoop *loop;
        void *userdata;
        event_handler_t handler;
        event_io_handler_t io_handler;
        int fd;        /* of SOURCE_IO; of SOURCE_SIGNAL, ours */
        uint64_t when; /* of SOURCE_TIMER */
        bool set;      /* in the loop's list of its kind, by `entry` */
        TAILQ_ENTRY(EventSource) entry;
};

typedef TAILQ_HEAD(SourceList, EventSource) SourceList;

struct EventLoop {
        int fd_epoll;
        int fd_timer;
        uint64_t armed;      /* what fd_timer is set to */
        SourceList timers;   /* the set ones, the earliest first */
        SourceList deferred; /* the set ones, in the order in which they were */
        SourceList signals;
        unsigned held_up; /* events since something deferred could have run */
        bool exiting;
        int status;
};

DEFINE_CLEANUP(EventLoop, event_loop_free)
DEFINE_CLEANUP(EventSource, event_source_free)

static int watch(const EventLoop *loop, int fd, uint32_t events, EventSource *source) {
        struct epoll_event event = { .events = events, .data.ptr = source };

        return epoll_ctl(loop->fd_epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int event_loop_new(EventLoop **ret) {
        _cleanup_(event_loop_freep) EventLoop *loop = calloc(1, sizeof(*loop));
        int r;

        if (!loop)
                return -ENOMEM;
        TAILQ_INIT(&loop->timers);
        TAILQ_INIT(&loop->deferred);
        TAILQ_INIT(&loop->signals);
        loop->armed = USEC_INFINITY;
        loop->fd_timer = -1;
        loop->fd_epoll = epoll_create1(EPOLL_CLOEXEC);
        if (loop->fd_epoll < 0)
                return -errno;
        loop->fd_timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (loop->fd_timer < 0)
                return -errno;
        r = watch(loop, loop->fd_timer, EPOLLIN, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(loop);
        return 0;
}

EventLoop *event_loop_free(EventLoop *loop) {
        EventSource *source;

        if (!loop)
                return NULL;
        assert(TAILQ_EMPTY(&loop->timers) && TAILQ_EMPTY(&loop->deferred));
        while ((source = TAILQ_FIRST(&loop->signals)))
                event_source_free(source);
        cleanup_close(&loop->fd_timer);
        cleanup_close(&loop->fd_epoll);
        free(loop);
        return NULL;
}

void event_loop_exit(EventLoop *loop, int status) {
        loop->exiting = true;
        loop->status = status;
}

/* The timer's descriptor does no more than to end a wait. */
static int arm(EventLoop *loop) {
        const EventSource *first = TAILQ_FIRST(&loop->timers);
        uint64_t when = first ? first->when : USEC_INFINITY;
        struct itimerspec spec = {};

        if (when == loop->armed)
                return 0;
        if (when != USEC_INFINITY) {
                spec.it_value.tv_sec = (time_t) (when / USEC_PER_SEC);
                spec.it_value.tv_nsec = (long) (when % USEC_PER_SEC) * 1000;
                if (when == 0)
                        spec.it_value.tv_nsec = 1; /* zero would take it back */
        }
        if (timerfd_settime(loop->fd_timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
                return -errno;
        loop->armed = when;
        return 0;
}

static SourceList *list_of(EventSource *source) {
        EventLoop *loop = source->loop;

        return source->kind == SOURCE_TIMER             ? &loop->timers
                        : source->kind == SOURCE_SIGNAL ? &loop->signals
                                                        : &loop->deferred;
}

static void unset(EventSource *source) {
        if (source->set)
                TAILQ_REMOVE(list_of(source), source, entry);
        source->set = false;
}

static int run(EventSource *source) {
        unset(source);
        return source->handler(source->userdata);
}

static int run_timers(EventLoop *loop) {
        uint64_t now = TAILQ_EMPTY(&loop->timers) ? 0 : time_now_boottime();
        int r = 0;

        for (unsigned i = 0; r >= 0 && !loop->exiting && i < TURN_MAX; i++) {
                EventSource *first = TAILQ_FIRST(&loop->timers);

                if (!first || first->when > now)
                        return 0;
                r = run(first);
        }
        return r;
}

static int run_deferred(EventLoop *loop) {
        EventSource *first = TAILQ_FIRST(&loop->deferred);

        loop->held_up = 0;
        return first ? run(first) : 0;
}

static int on_signal(EventSource *source) {
        struct signalfd_siginfo info;

        if (read(source->fd, &info, sizeof(info)) != sizeof(info))
                return 0;
        if (source->handler)
                return source->handler(source->userdata);
        event_loop_exit(source->loop, 0);
        return 0;
}

static int dispatch(EventLoop *loop, const struct epoll_event *event) {
        EventSource *source = event->data.ptr;
        uint64_t expirations;

        if (!source) {
                loop->armed = USEC_INFINITY;
                (void) !read(loop->fd_timer, &expirations, sizeof(expirations));
                return 0;
        }
        loop->held_up++;
        return source->kind == SOURCE_SIGNAL
                        ? on_signal(source)
                        : source->io_handler(source->fd, event->events, source->userdata);
}

/* One event at a time: what its handler frees cannot be among the events already fetched. */
static int run_once(EventLoop *loop) {
        bool deferred = !TAILQ_EMPTY(&loop->deferred);
        struct epoll_event event;
        int n, r;

        if (deferred && loop->held_up >= TURN_MAX)
                return run_deferred(loop);
        if (!deferred) {
                r = arm(loop);
                if (r < 0)
                        return r;
        }
        n = epoll_wait(loop->fd_epoll, &event, 1, deferred ? 0 : -1);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        return n > 0 ? dispatch(loop, &event) : run_deferred(loop);
}

int event_loop_run(EventLoop *loop) {
        int r = 0;

        loop->exiting = false;
        while (r >= 0 && !loop->exiting) {
                r = run_timers(loop);
                if (r >= 0 && !loop->exiting)
                        r = run_once(loop);
        }
        return r < 0 ? r : loop->status;
}

static EventSource *source_new(EventLoop *loop, SourceKind kind, event_handler_t handler, void *userdata) {
        EventSource *source = calloc(1, sizeof(*source));

        if (source)
                *source = (EventSource){
                        .kind = kind,
                        .loop = loop,
                        .handler = handler,
                        .userdata = userdata,
                        .fd = -1,
                };
        return source;
}

int event_add_io(EventLoop *loop, EventSource **ret, int fd, uint32_t events, event_io_handler_t handler,
                void *userdata) {
        _cleanup_free_ EventSource *source = source_new(loop, SOURCE_IO, NULL, userdata);
        int r;

        if (!source)
                return -ENOMEM;
        r = watch(loop, fd, events, source);
        if (r < 0)
                return r;
        source->io_handler = handler;
        source->fd = fd;
        *ret = TAKE_PTR(source);
        return 0;
}

int event_add_timer(EventLoop *loop, EventSource **ret, event_handler_t handler, void *userdata) {
        EventSource *source = source_new(loop, SOURCE_TIMER, handler, userdata);

        if (!source)
                return -ENOMEM;
        *ret = source;
        return 0;
}

void event_timer_set(EventSource *source, uint64_t boottime_usec) {
        SourceList *timers = &source->loop->timers;
        EventSource *before;

        unset(source);
        if (boottime_usec == USEC_INFINITY)
                return;
        source->when = boottime_usec;
        source->set = true;
        /* New deadlines are late ones, mostly. */
        before = TAILQ_LAST(timers, SourceList);
        while (before && before->when > boottime_usec)
                before = TAILQ_PREV(before, SourceList, entry);
        if (before)
                TAILQ_INSERT_AFTER(timers, before, source, entry);
        else
                TAILQ_INSERT_HEAD(timers, source, entry);
}

int event_add_deferred(EventLoop *loop, EventSource **ret, event_handler_t handler, void *userdata) {
        EventSource *source = source_new(loop, SOURCE_DEFERRED, handler, userdata);

        if (!source)
                return -ENOMEM;
        *ret = source;
        return 0;
}

void event_deferred_set(EventSource *source) {
        if (!source->set)
                TAILQ_INSERT_TAIL(&source->loop->deferred, source, entry);
        source->set = true;
}

int event_add_signal(EventLoop *loop, int signal, event_handler_t handler, void *userdata) {
        _cleanup_(event_source_freep) EventSource *source =
                        source_new(loop, SOURCE_SIGNAL, handler, userdata);
        sigset_t signals;
        int r;

        if (!source)
                return -ENOMEM;
        sigemptyset(&signals);
        if (sigaddset(&signals, signal) < 0 || sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        source->fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (source->fd < 0)
                return -errno;
        r = watch(loop, source->fd, EPOLLIN, source);
        if (r < 0)
                return r;
        TAILQ_INSERT_TAIL(&loop->signals, source, entry);
        source->set = true;
        (void) TAKE_PTR(source);
        return 0;
}

EventSource *event_source_free(EventSource *source) {
        if (!source)
                return NULL;
        unset(source);
        switch (source->kind) {
        case SOURCE_IO:
                (void) epoll_ctl(source->loop->fd_epoll, EPOLL_CTL_DEL, source->fd, NULL);
                break;
        case SOURCE_SIGNAL:
                cleanup_close(&source->fd); /* and epoll forgets it */
                break;
        case SOURCE_TIMER:
        case SOURCE_DEFERRED:
                break;
        }
        free(source);
        return NULL;
}
