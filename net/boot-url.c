/* SPDX-License-Identifier: Apache-2.0 */
#include "net/boot-url.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "net/tftp-packet.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define SCHEME "tftp://"
#define MODE ";mode="

static int parse_port(const char *text, uint16_t *ret) {
        uint64_t port;

        if (text_parse_u64(text, UINT16_MAX, &port) < 0 || port == 0)
                return -EBADMSG;
        *ret = (uint16_t) port;
        return 0;
}

/* "[fe80::1%25eth0]" (RFC 6874), or as people write it, "[fe80::1%eth0]". */
static int parse_bracketed(char *host, char **ret_rest, BootUrl *url) {
        char *end = strchr(host, ']'), *zone;

        if (!end)
                return -EBADMSG;
        *end = '\0';
        zone = strchr(host, '%');
        if (zone)
                *zone = '\0';
        if (ip_address_parse(host, &url->address) < 0 || url->address.family != AF_INET6 ||
                        !ip6_is_host(&url->address.v6) || (zone && !IN6_IS_ADDR_LINKLOCAL(&url->address.v6)))
                return -EBADMSG;
        *ret_rest = end + 1;
        return 0;
}

/* What has only digits and dots is meant for an address. */
static bool looks_like_address(const char *host) {
        return host[strspn(host, "0123456789.")] == '\0';
}

static int parse_host(const char *host, BootUrl *url) {
        if (looks_like_address(host))
                return ip_address_parse(host, &url->address) >= 0 && ip4_is_host(url->address.v4) ? 0
                                                                                                  : -EBADMSG;
        if (!domain_name_is_valid(host) || text_copy(url->host, sizeof(url->host), host) < 0)
                return -EBADMSG;
        return 0;
}

static int parse_authority(char *authority, BootUrl *url) {
        char *rest;

        url->port = TFTP_PORT;
        if (authority[0] == '[') {
                int r = parse_bracketed(authority + 1, &rest, url);

                if (r < 0)
                        return r;
                if (*rest == '\0')
                        return 0;
                return *rest == ':' ? parse_port(rest + 1, &url->port) : -EBADMSG;
        }
        rest = strchr(authority, ':');
        if (rest) {
                *rest++ = '\0';
                if (parse_port(rest, &url->port) < 0)
                        return -EBADMSG;
        }
        return parse_host(authority, url);
}

static int hex_value(char c) {
        if (!isxdigit((unsigned char) c))
                return -EBADMSG;
        return isdigit((unsigned char) c) ? c - '0' : tolower((unsigned char) c) - 'a' + 10;
}

static int decode(const char **p) {
        int high = hex_value((*p)[1]), low = high < 0 ? high : hex_value((*p)[2]);

        if (low < 0)
                return low;
        *p += 2;
        return high << 4 | low;
}

static int parse_path(const char *path, BootUrl *url) {
        const char *mode = strstr(path, MODE), *end = mode ? mode : path + strlen(path);
        size_t n = 0;

        if (mode && strcasecmp(mode + strlen(MODE), "octet") != 0)
                return -EBADMSG;
        for (const char *p = path; p < end; p++) {
                int c = (unsigned char) *p;

                if (c == '?' || c == '#')
                        return -EBADMSG;
                if (c == '%')
                        c = decode(&p);
                if (c < 0x20 || c >= 0x7f)
                        return -EBADMSG;
                if (n == sizeof(url->path) - 1)
                        return -ENAMETOOLONG;
                url->path[n++] = (char) c;
        }
        return 0;
}

int boot_url_parse(const char *text, BootUrl *ret) {
        char authority[DOMAIN_NAME_MAX + 16];
        BootUrl url = { 0 };
        const char *path;
        size_t n;
        int r;

        if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
                return -EPROTONOSUPPORT;
        text += strlen(SCHEME);
        path = strchrnul(text, '/');
        n = (size_t) (path - text);
        if (n >= sizeof(authority))
                return -ENAMETOOLONG;
        memcpy(authority, text, n);
        authority[n] = '\0';
        r = parse_authority(authority, &url);
        if (r >= 0)
                r = parse_path(*path ? path + 1 : path, &url);
        if (r < 0)
                return r;
        *ret = url;
        return 0;
}
