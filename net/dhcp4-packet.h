/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * IPv4 and UDP around a DHCP message, for a port that has no address yet: what the kernel does for everybody else is done
 * here, on packets that anybody on the link can send.
 */

#include "base/buffer.h"
#include "base/cursor.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DHCP4_PACKET_HEADER_SIZE 28 /* IP without options, and UDP */

/*
 * Takes an IP packet apart and returns the UDP payload, which points into it. Refused with -EBADMSG: wrong version, lengths
 * that contradict each other or the packet, fragments, other protocols or ports, wrong checksums. A frame's padding behind
 * the IP packet is not part of it. `checksum_ready` is false for packets whose UDP checksum the sender on this very
 * machine has left to hardware (TP_STATUS_CSUMNOTREADY).
 */
int dhcp4_packet_parse(const uint8_t *packet, size_t size, bool checksum_ready, Cursor *ret_payload);

/* Appends IP and UDP headers and the payload, client to server port. */
void dhcp4_packet_build(Buffer *buffer, struct in_addr source, struct in_addr destination,
                const uint8_t *payload, size_t size);
