/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/notify.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void notify(const char *format, ...) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        char text[1024];
        size_t n;
        va_list ap;

        if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(address.sun_path))
                return;
        n = strlen(path);
        memcpy(address.sun_path, path, n);
        if (*path == '@') /* an abstract name */
                address.sun_path[0] = '\0';
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0)
                (void) sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *) &address,
                                (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n));
}

uint64_t notify_watchdog_interval(void) {
        const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
        unsigned long long interval;
        char *end;

        if (!usec || (pid && atoi(pid) != getpid()))
                return USEC_INFINITY;
        errno = 0;
        interval = strtoull(usec, &end, 10);
        return errno != 0 || end == usec || *end != '\0' || interval < 2 ? USEC_INFINITY : interval / 2;
}
