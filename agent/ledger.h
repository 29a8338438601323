/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The addresses that we have given to ports, with their prefix lengths, written down before the kernel is told, so that the next start
 * finds and removes what a crash has left. (Routes and rules carry our mark in the kernel, NETLINK_PROTOCOL; addresses cannot on the
 * kernels of today's switches.)
 */

#include "net/netlink.h"

typedef struct Ledger Ledger;

/*
 * Opens the ledger in the file at `path`. Everything that is in it from before is first removed from the kernel, with every route and
 * rule that has our mark.
 */
int ledger_open(Ledger **ret, const char *path, Netlink *netlink);

/* The same when nobody is to use it now: what was in it is still known to the next ledger_open(). */
int ledger_clean_up(const char *path, Netlink *netlink);

/* An address that a port had before it was opened; 0.0.0.0: none. */
struct in_addr ledger_get_previous4(const Ledger *ledger, int ifindex);

/* Frees. What is in the ledger stays, in the kernel and on record. */
Ledger *ledger_free(Ledger *ledger);

/*
 * Gives a port an address, or renews it; takes it away again. An address that is there already is not ours: -EEXIST, and it
 * stays as it is.
 */
int ledger_add(Ledger *ledger, int ifindex, const IpPrefix *prefix, const AddressTimes *times,
                AddressDetection detection);
bool ledger_has(const Ledger *ledger, int ifindex, const IpPrefix *prefix);
int ledger_remove(Ledger *ledger, int ifindex, const IpPrefix *prefix);
