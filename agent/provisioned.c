/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/provisioned.h"

#include "agent/config.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool provisioned_exists(void) {
        char path[PATH_MAX];

        /* Only a clear "there is none" counts as none: when in doubt, a configured device is left alone. */
        return access(config_state_path(path, sizeof(path), "provisioned"), F_OK) == 0 || errno != ENOENT;
}

bool provisioned_is_reset(void) {
        char path[PATH_MAX];

        return access(config_state_path(path, sizeof(path), PROVISIONED_RESET), F_OK) == 0 ||
                        errno != ENOENT;
}

static int open_lock(void) {
        char path[PATH_MAX];
        int fd = open(config_runtime_path(path, sizeof(path), "lock"),
                        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        return fd < 0 ? -errno : fd;
}

int provisioned_lock(bool wait) {
        _cleanup_close_ int fd = open_lock();

        if (fd < 0)
                return fd;
        while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
                if (errno != EINTR)
                        return -errno;
        return TAKE_FD(fd);
}

/* On the same file: locks of fcntl(2) and flock(2) do not see each other. */
int provisioned_reserve(void) {
        _cleanup_close_ int fd = open_lock();
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        if (fd < 0)
                return fd;
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                return errno == EACCES ? -EWOULDBLOCK : -errno;
        return TAKE_FD(fd);
}

bool provisioned_is_reserved(void) {
        _cleanup_close_ int fd = open_lock();
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        return fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* The members that are known from sdi-agent and sdi-unwrap alone. Root's ticket vouches for the others. */
static json_t *claims(const HandoverRequest *request) {
        return request->flags & HANDOVER_ROOT
                        ? json_pack("[s, s]", "encrypted", "key")
                        : json_pack("[s, s, s, s, s]", "origin", "interface", "encrypted", "sha256", "key");
}

int provisioned_write(const HandoverRequest *request) {
        json_auto_t *object = NULL;
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX], sha256[2 * sizeof(request->sha256) + 1], time[TIME_UTC_MAX];
        int r;

        object = json_pack("{s:i, s:s, s:s, s:o, s:b, s:s, s:o, s:o}", "version", 1, "time",
                        time_format_utc(time, sizeof(time), time_now_realtime()), "origin", request->origin,
                        "interface", request->interface[0] ? json_string(request->interface) : json_null(),
                        "encrypted", (request->flags & HANDOVER_ENCRYPTED) != 0, "sha256",
                        text_hex(sha256, request->sha256, sizeof(request->sha256)), "key",
                        request->key_fingerprint[0] ? json_string(request->key_fingerprint) : json_null(),
                        "claims", claims(request));
        if (!object)
                return -ENOMEM;
        text = json_dumps(object, JSON_INDENT(2));
        if (!text)
                return -ENOMEM;
        r = file_replace(config_state_path(path, sizeof(path), "provisioned"), text, strlen(text), 0644,
                        FILE_DURABLE);
        provisioned_tidy();
        return r;
}

void provisioned_tidy(void) {
        char path[PATH_MAX];

        if (provisioned_exists())
                (void) unlink(config_agent_path(path, sizeof(path), "addresses.previous"));
}
