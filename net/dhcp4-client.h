/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The DHCPv4 client as a machine (RFC 2131 §4.4): it is told the time and what arrived, and says what to send and when it
 * wants to be called again. It owns no socket and reads no clock; net/dhcp4-runner.h drives it.
 */

#include "net/dhcp4-lease.h"

#include <net/ethernet.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Dhcp4State {
        DHCP4_STATE_STOPPED,
        DHCP4_STATE_INIT,      /* waits before it starts again, after a NAK or a conflict */
        DHCP4_STATE_REBOOTING, /* asks for the address that it had before a restart */
        DHCP4_STATE_SELECTING,
        DHCP4_STATE_REQUESTING,
        DHCP4_STATE_PROBING, /* has a lease, and waits whether another host has its address */
        DHCP4_STATE_BOUND,
        DHCP4_STATE_RENEWING,
        DHCP4_STATE_REBINDING,
        _DHCP4_STATE_MAX,
} Dhcp4State;

const char *dhcp4_state_to_string(Dhcp4State state);

typedef enum Dhcp4Event {
        DHCP4_EVENT_BOUND,    /* a lease: its address can be used from now on */
        DHCP4_EVENT_RENEWED,  /* the same address for longer; what else the server gives may have changed */
        DHCP4_EVENT_LOST,     /* expired or taken back: its address must not be used any more */
        DHCP4_EVENT_CONFLICT, /* another host has this address, or it is refused: declined (after LOST if it was in use), and asked for another */
} Dhcp4Event;

typedef struct Dhcp4ClientConfig {
        struct ether_addr address;
        uint16_t mtu; /* the largest IP packet that we can receive */

        uint8_t client_id[64]; /* option 61, whole, with its type byte */
        size_t n_client_id;
        const char *host_name;    /* option 12, or NULL */
        const char *vendor_class; /* options 60 and 124, or NULL */
        const char *user_class;   /* option 77, or NULL */
        uint32_t enterprise;      /* IANA's number of the vendor, of options 124 and 125; 0: none */
        const uint8_t *uuid;      /* option 97: 16 bytes, or NULL */

        struct in_addr previous; /* the address before a restart, to be asked for again (RFC 2131 §3.2); 0.0.0.0: none */

        /*
         * Conflict detection (RFC 5227, with one probe): `probe` sends an ARP probe for the address, and the address is not
         * used before that was `conflict_wait` (in microseconds) ago; 0: no probe. NULL then.
         */
        uint64_t conflict_wait;
        int (*probe)(struct in_addr address, void *userdata);

        /*
         * Whether an address must not be had, because the device uses it elsewhere. Such an offer counts less than any other; such a lease is
         * declined. NULL: none is refused.
         */
        bool (*refuse)(struct in_addr address, void *userdata);

        /*
         * Sends a message to `destination`: INADDR_BROADCAST from 0.0.0.0 (or from `source` when it is ours), else a server's
         * address from `source`. An error is a lost packet to the client.
         */
        int (*send)(Dhcp4Type type, struct in_addr source, struct in_addr destination, const uint8_t *data,
                        size_t size, void *userdata);
        /* `lease` is the client's and valid until the next event. The client must not be freed in the call. */
        void (*notify)(Dhcp4Event event, const Dhcp4Lease *lease, void *userdata);
        uint32_t (*random)(void *userdata);
        void *userdata;
} Dhcp4ClientConfig;

typedef struct Dhcp4Client Dhcp4Client;

/* Copies the configuration; what it points to must outlive the client. */
int dhcp4_client_new(Dhcp4Client **ret, const Dhcp4ClientConfig *config);
Dhcp4Client *dhcp4_client_free(Dhcp4Client *client);

/* From STOPPED to SELECTING, or to REBOOTING: the first message is sent in the call. No effect in other states. */
void dhcp4_client_start(Dhcp4Client *client, uint64_t now);

/* While it looks for a server, does so again at once instead of when its timer says. No effect with a lease. */
void dhcp4_client_retry(Dhcp4Client *client, uint64_t now);

/* With a lease that is not being renewed yet, renews it now: what the server gives may have changed. */
void dhcp4_client_renew(Dhcp4Client *client, uint64_t now);

/* To STOPPED, from any state. A lease that is held is given back (DHCPRELEASE), and no event is raised for it. */
void dhcp4_client_stop(Dhcp4Client *client, uint64_t now);

/* The same, but the lease is not given back: it is somebody else's as well. */
void dhcp4_client_abandon(Dhcp4Client *client);

/* The next time at which it wants dhcp4_client_dispatch_timer(), or USEC_INFINITY. */
uint64_t dhcp4_client_get_timeout(const Dhcp4Client *client);
void dhcp4_client_dispatch_timer(Dhcp4Client *client, uint64_t now);

/*
 * Gives it a message of a server. What is malformed, not for us or not expected is counted and changes nothing. Returns 0,
 * or -ENOMEM.
 */
int dhcp4_client_dispatch_message(Dhcp4Client *client, uint64_t now, const uint8_t *data, size_t size);

/*
 * Another host has answered an ARP probe: it has `address`. Heeded until a second after the address came into use, for a host
 * that is slow to answer.
 */
void dhcp4_client_dispatch_conflict(Dhcp4Client *client, uint64_t now, struct in_addr address);

Dhcp4State dhcp4_client_get_state(const Dhcp4Client *client);
const Dhcp4Lease *dhcp4_client_get_lease(const Dhcp4Client *client); /* NULL: none held */
uint64_t dhcp4_client_get_expiry(const Dhcp4Client *client); /* of the lease held; USEC_INFINITY: never */
uint64_t dhcp4_client_get_dropped(const Dhcp4Client *client);

/* RFC 2131 §4.1: 4 s, doubled with each attempt up to 64 s, and up to a second more or less. Pure. */
uint64_t dhcp4_retransmit_usec(unsigned attempt, uint32_t random);
