/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sdi-directory.conf(5): where the certificates are, who may bring some, and what the vendor's policy says of them. What it says is
 * all that there is: an unknown key or a bad value is an error, as a typo in a policy must not weaken it.
 */

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_FILE "/etc/sdi/sdi-directory.conf"
#define SETTINGS_WORDS_MAX 32
#define SETTINGS_REASON_MAX 512

typedef struct Words {
        char *items[SETTINGS_WORDS_MAX];
        unsigned n;
} Words;

/* "192.0.2.0/24", "2001:db8::/32"; IPv4 as ::ffff:0:0/96. */
typedef struct Network {
        uint8_t address[16];
        unsigned bits;
} Network;

typedef struct Networks {
        Network items[SETTINGS_WORDS_MAX];
        unsigned n;
} Networks;

typedef struct Policy {
        char *identifier; /* an extended regular expression for all of it, or "" */
        regex_t pattern;  /* the same, compiled when there is one */
        bool has_pattern;
        Words accept;              /* certificate, request, key */
        Words key_types;           /* rsa2048, p256, ... */
        Words extensions;          /* names as OpenSSL's, or numbers */
        Words extended_key_usages; /* the same */
        char *issuers; /* a file of CAs that may have signed a certificate, besides its own key; or "" */
        uint64_t minimum_lifetime_usec;
} Policy;

typedef struct Settings {
        char *store; /* sqlite:PATH or postgresql://... */

        char *public_certificate, *public_key;  /* "": no TLS */
        uint64_t misses_per_minute, miss_burst; /* 0: no limit */
        Networks metrics_networks;

        char *factory_certificate, *factory_key, *client_ca;
        Networks factory_networks; /* none: all */
        Words enroll_roles, replace_roles;

        char *authority_certificate, *authority_key;

        Policy policy;

        uint64_t connections, connections_per_address;
        uint64_t timeout_usec;
} Settings;

/* `path` NULL: SETTINGS_FILE. On an error `reason` is one line that says where and what. */
int settings_load(const char *path, Settings **ret, char reason[static SETTINGS_REASON_MAX]);

/* Accepts NULL, returns NULL. */
Settings *settings_free(Settings *settings);

bool words_have(const Words *words, const char *word);

/* An IPv6 address, or an IPv4 one mapped to it. */
bool networks_have(const Networks *networks, const uint8_t address[static 16]);
