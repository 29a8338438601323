/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void map(const void *ipv4, uint8_t ret[static 16]) {
        memcpy(ret, mapped, sizeof(mapped));
        memcpy(ret + sizeof(mapped), ipv4, 4);
}

static bool is_mapped(const uint8_t address[static 16]) {
        return memcmp(address, mapped, sizeof(mapped)) == 0;
}

void address_from_socket(const struct sockaddr *from, uint8_t ret[static 16]) {
        memset(ret, 0, 16);
        if (from && from->sa_family == AF_INET6)
                memcpy(ret, &((const struct sockaddr_in6 *) from)->sin6_addr, 16);
        else if (from && from->sa_family == AF_INET)
                map(&((const struct sockaddr_in *) from)->sin_addr, ret);
}

int address_parse(const char *text, uint8_t ret[static 16], unsigned *ret_bits_before) {
        uint8_t ipv4[4];

        if (inet_pton(AF_INET6, text, ret) == 1) {
                *ret_bits_before = 0;
                return 0;
        }
        if (inet_pton(AF_INET, text, ipv4) != 1)
                return -EINVAL;
        map(ipv4, ret);
        *ret_bits_before = 8 * sizeof(mapped);
        return 0;
}

const char *address_format(char text[static ADDRESS_TEXT_MAX], const uint8_t address[static 16]) {
        if (is_mapped(address))
                inet_ntop(AF_INET, address + sizeof(mapped), text, ADDRESS_TEXT_MAX);
        else
                inet_ntop(AF_INET6, address, text, ADDRESS_TEXT_MAX);
        return text;
}

void address_get_network(const uint8_t address[static 16], uint8_t ret[static 16]) {
        memcpy(ret, address, 16);
        if (!is_mapped(address))
                memset(ret + 8, 0, 8);
}
