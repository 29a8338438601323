/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/log.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const char *log_program = "sdi";
static int log_level = LOG_INFO;
static bool log_to_journal;

/* systemd.exec(5): JOURNAL_STREAM names device and inode of the journal's end of standard error. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
                        st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *program, int level) {
        log_program = program;
        log_level = level;
        log_to_journal = stderr_is_journal();
}

/*
 * The journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram of NAME=VALUE lines. Written here rather than by
 * libsystemd, which would bring five libraries, compressors among them, into the programs that handle secrets.
 */
static int send_to_journal(int priority, const char *id, const char *interface, const char *text) {
        static const struct sockaddr_un journal = { AF_UNIX, "/run/systemd/journal/socket" };
        char fields[1500];
        int fd, n;

        n = snprintf(fields, sizeof(fields), "SYSLOG_IDENTIFIER=%s\nPRIORITY=%d\nMESSAGE=%s\n%s%s%s%s%s%s",
                        log_program, priority, text, id ? "MESSAGE_ID=" : "", id ? id : "", id ? "\n" : "",
                        interface ? "INTERFACE=" : "", interface ? interface : "", interface ? "\n" : "");
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        n = (int) sendto(fd, fields, (size_t) n, MSG_NOSIGNAL, (const struct sockaddr *) &journal,
                        sizeof(journal));
        close(fd);
        return n < 0 ? -errno : 0;
}

void log_message(int priority, const char *id, const char *interface, const char *format, ...) {
        int saved = errno, n = 0;
        char text[1024], shown[1200];
        va_list arguments;

        if (priority > log_level)
                return;
        if (interface)
                n = snprintf(text, sizeof(text), "%s: ", interface);
        va_start(arguments, format);
        errno = saved;
        vsnprintf(text + n, sizeof(text) - (size_t) n, format, arguments);
        va_end(arguments);

        /* One line for a terminal, and no more than one field for the journal, whatever has come into it. */
        text_escape_again(shown, sizeof(shown), text, strlen(text));
        if (!log_to_journal || send_to_journal(priority, id, interface, shown) < 0)
                fprintf(stderr, "%s: %s\n", log_program, shown);
        errno = saved;
}
