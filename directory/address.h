/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The address of a client in 16 bytes: IPv6, or IPv4 mapped to it (::ffff:0:0/96), also where an IPv6 socket
 * has taken the connection.
 */

#include <stdint.h>
#include <sys/socket.h>

/* All zero for a socket of another family, and for NULL. */
void address_from_socket(const struct sockaddr *from, uint8_t ret[static 16]);

/* *ret_bits_before is how many bits of the mapping precede the address: 96 for an IPv4 address, else 0. */
int address_parse(const char *text, uint8_t ret[static 16], unsigned *ret_bits_before);

/* An address as people write it. Returns `text`. */
#define ADDRESS_TEXT_MAX 64
const char *address_format(char text[static ADDRESS_TEXT_MAX], const uint8_t address[static 16]);

/*
 * The key of every limit for each client: the /64 of an IPv6 address, because one customer has at least a
 * /64 (RFC 6177, section 2) and can use all addresses in it; an IPv4 address itself.
 */
void address_get_network(const uint8_t address[static 16], uint8_t ret[static 16]);
