/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Values as status.json has them. NULL for want of memory, which json_pack() and json_array_append_new() pass on. */

#include "base/time.h"
#include "net/ip-address.h"

#include <jansson.h>

/* 0: null. */
static inline json_t *json_time(uint64_t realtime) {
        char text[TIME_UTC_MAX];

        return realtime == 0 ? json_null() : json_string(time_format_utc(text, sizeof(text), realtime));
}

static inline json_t *json_string_or_null(const char *text) {
        return text ? json_string(text) : json_null();
}

/* AF_UNSPEC: null. */
static inline json_t *json_address(IpAddress address) {
        char text[IP_ADDRESS_TEXT_MAX];

        return address.family == AF_UNSPEC ? json_null() : json_string(ip_address_format(text, &address));
}

static inline json_t *json_route(const IpPrefix *destination, IpAddress router) {
        char network[IP_ADDRESS_TEXT_MAX], via[IP_ADDRESS_TEXT_MAX];

        return json_sprintf("%s/%u via %s", ip_address_format(network, &destination->address),
                        destination->length, ip_address_format(via, &router));
}
