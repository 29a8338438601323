/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sdi.conf(5). Read by every program on the device: /etc/sdi/sdi.conf, else /usr/lib/sdi/sdi.conf, then drop-ins
 * sdi.conf.d/NAME.conf of /usr/lib/sdi, /run/sdi and /etc/sdi, by name; of the same name the one in /etc wins over /run,
 * and that over /usr/lib. A link to /dev/null masks a file. A file or folder that anybody but its owner can
 * write to, or that neither root nor we own, is an error.
 */

#include "agent/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_LIST_MAX 32

typedef struct StringList {
        char *items[CONFIG_LIST_MAX + 1]; /* NULL-terminated */
        unsigned n;
} StringList;

typedef struct Config {
        StringList interfaces, prepare_command; /* [Network] */
        bool ipv4, ipv6;
        bool stable_addresses; /* IPv6: by RFC 7217, else by EUI-64 */
        char *vendor_class, *user_class;
        uint32_t enterprise;              /* 0: none */
        uint64_t conflict_detection_usec; /* 0: none */

        StringList identity_sources; /* [Identity] */
        char *identity_file;
        StringList identity_command;

        StringList names; /* [Install] */
        bool encrypted_only;
        bool authenticated_only; /* of encrypted files: no CBC */
        uint64_t maximum_size;
        bool legacy_ciphers;

        RetryPolicy retry;

        char *tcti; /* [Key] */
        char *key_type;
        uint32_t key_handle;   /* 0: none */
        char *key_certificate; /* a path, "nv:0x01c00002", or "" */
        bool bus_encryption;

        StringList loader; /* [Load]: the program and its first arguments */
        uint64_t check_timeout_usec, commit_timeout_usec;

        char *enroll_directory; /* [Enroll]: "https://...", or "": it is not done */
        char *enroll_client_certificate, *enroll_client_key, *enroll_ca; /* paths, or "" */
        char *enroll_send;                                               /* certificate, request, key */
} Config;

/*
 * `file` is the argument of --config=, then read alone, or NULL. `on_warning` is called with one line for each unknown key
 * and each bad value that is ignored, and may be NULL. Returns 0; -EINVAL, or the error of a file that is there and cannot be
 * read, with one line that says where and what in `ret_reason`. No file at all is fine.
 */
int config_load(Config **ret, const char *file, void (*on_warning)(const char *line),
                char ret_reason[static 256]);
Config *config_free(Config *config);

/*
 * RUNTIME_DIRECTORY and STATE_DIRECTORY as systemd sets them, else /run/sdi and /var/lib/sdi; with "/name" behind.
 * Only root can make a name there. sdi-agent writes its own files, status.json and the ledger, into the folder
 * "agent" of the first one.
 */
const char *config_runtime_path(char *path, size_t size, const char *name);
const char *config_agent_path(char *path, size_t size, const char *name);
const char *config_state_path(char *path, size_t size, const char *name);
