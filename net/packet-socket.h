/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A packet socket that sees one protocol of all ports: what net/dhcp4-raw.h and net/ip6-raw.h are made of. */

#include "base/buffer.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Packets to be read at one wake-up: a flood leaves time for all else. */
#define PACKET_SOCKET_BATCH 64

/* SOCK_DGRAM, not blocking. `protocol` is an ETH_P_; offsets of the filter are from that protocol's header. The descriptor, or an error. */
int packet_socket_open(uint16_t protocol, const struct sock_filter *filter, size_t n_filter);

/*
 * Reads a packet that was sent to us, or to many as `also` says (PACKET_BROADCAST, PACKET_MULTICAST). 1 and its size; 0 when there is
 * nothing to read; -EBADMSG for one that is not for us or larger than `size`; or the socket's error. *ret_checksum_ready is false for a
 * packet whose checksum the sender on this very machine has left to hardware.
 */
int packet_socket_receive(int fd, uint8_t *data, size_t size, unsigned char also,
                struct sockaddr_ll *ret_from, size_t *ret_size, bool *ret_checksum_ready);

/* Sends a packet to a neighbour on the port. */
int packet_socket_send(
                int fd, uint16_t protocol, int ifindex, const struct ether_addr *to, const Buffer *packet);
