/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* ARP on Ethernet for IPv4 (RFC 826), as far as it takes to ask whether anybody has an address (RFC 5227 §2.1). */

#include "base/buffer.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdint.h>

#define ARP_PACKET_SIZE 28

/* Appends an ARP probe: who has `address`? It comes from `sender` and gives no address as the sender's own. */
void arp_packet_build_probe(Buffer *buffer, const struct ether_addr *sender, struct in_addr address);

/* Takes an ARP reply apart: who has which address. -EBADMSG for all else, and for an address that is no host's. */
int arp_packet_parse_reply(const uint8_t *packet, size_t size, struct ether_addr *ret_sender,
                struct in_addr *ret_address);
