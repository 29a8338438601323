/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The DHCPv6 client as a machine (RFC 8415 §18.2): it is told the time and what arrived, and says what to send and when it wants
 * to be called again. It owns no socket and reads no clock; net/ip6-runner.h drives it.
 */

#include "net/dhcp6-lease.h"

#include <stddef.h>
#include <stdint.h>

typedef enum Dhcp6State {
        DHCP6_STATE_STOPPED,
        DHCP6_STATE_INIT,       /* waits before it starts again, after a conflict */
        DHCP6_STATE_SOLICITING, /* looks for a server with addresses */
        DHCP6_STATE_REQUESTING,
        DHCP6_STATE_BOUND,
        DHCP6_STATE_RENEWING,
        DHCP6_STATE_REBINDING,
        DHCP6_STATE_INFORMING, /* asks for all but addresses */
        DHCP6_STATE_INFORMED,
        _DHCP6_STATE_MAX,
} Dhcp6State;

const char *dhcp6_state_to_string(Dhcp6State state);

typedef enum Dhcp6Event {
        DHCP6_EVENT_BOUND,    /* a lease: its addresses can be used from now on */
        DHCP6_EVENT_RENEWED,  /* for longer, and perhaps with other addresses */
        DHCP6_EVENT_LOST,     /* expired or declined: its addresses must not be used any more */
        DHCP6_EVENT_INFORMED, /* all but addresses, for the first time or again */
} Dhcp6Event;

typedef struct Dhcp6ClientConfig {
        uint8_t client_id[DHCP6_DUID_MAX]; /* a DUID */
        size_t n_client_id;
        uint32_t iaid;
        const char *host_name;    /* option 39, a label; or NULL */
        const char *vendor_class; /* option 16, where there is an enterprise number; or NULL */
        const char *user_class;   /* option 15; or NULL */
        uint32_t enterprise;      /* IANA's number of the vendor, of options 16 and 17; 0: none */

        /*
         * Sends a message to `destination`: DHCP6_SERVERS from our link-local address (`source` is NULL), or a server from `source`.
         * An error is a lost packet to the client.
         */
        int (*send)(Dhcp6Type type, const struct in6_addr *source, const struct in6_addr *destination,
                        const uint8_t *data, size_t size, void *userdata);
        /* `lease` is the client's and valid until the next event. The client must not be freed in the call. */
        void (*notify)(Dhcp6Event event, const Dhcp6Lease *lease, void *userdata);
        uint32_t (*random)(void *userdata);
        void *userdata;
} Dhcp6ClientConfig;

/* ff02::1:2, All_DHCP_Relay_Agents_and_Servers. */
extern const struct in6_addr dhcp6_servers;

typedef struct Dhcp6Client Dhcp6Client;

/* Copies the configuration; what it points to must outlive the client. */
int dhcp6_client_new(Dhcp6Client **ret, const Dhcp6ClientConfig *config);
Dhcp6Client *dhcp6_client_free(Dhcp6Client *client);

/* From STOPPED, INFORMING or INFORMED to SOLICITING: the first message is sent in the call. No effect in other states. */
void dhcp6_client_start(Dhcp6Client *client, uint64_t now);

/* From STOPPED or, as long as no server has offered anything, SOLICITING to INFORMING. No effect in other states. */
void dhcp6_client_inform(Dhcp6Client *client, uint64_t now);

/* While it looks for a server, does so again at once instead of when its timer says. No effect with a lease. */
void dhcp6_client_retry(Dhcp6Client *client, uint64_t now);

/* With what a server gave, asks it again now: that may have changed. */
void dhcp6_client_renew(Dhcp6Client *client, uint64_t now);

/* Another host has an address of the lease: all of it is declined, and after a while another one is asked for. */
void dhcp6_client_decline(Dhcp6Client *client, uint64_t now, const struct in6_addr *address);

/* To STOPPED, from any state. A lease that is held is given back (RELEASE), and no event is raised for it. */
void dhcp6_client_stop(Dhcp6Client *client, uint64_t now);

/* The next time at which it wants dhcp6_client_dispatch_timer(), or USEC_INFINITY. */
uint64_t dhcp6_client_get_timeout(const Dhcp6Client *client);
void dhcp6_client_dispatch_timer(Dhcp6Client *client, uint64_t now);

/*
 * Gives it a message of a server. What is malformed, not for us or not expected is counted and changes nothing. Returns 0,
 * or -ENOMEM.
 */
int dhcp6_client_dispatch_message(Dhcp6Client *client, uint64_t now, const uint8_t *data, size_t size);

Dhcp6State dhcp6_client_get_state(const Dhcp6Client *client);
const Dhcp6Lease *dhcp6_client_get_lease(
                const Dhcp6Client *client); /* NULL: none; without addresses in INFORMED */

/* When the request was sent from which the lease's times count. */
uint64_t dhcp6_client_get_requested(const Dhcp6Client *client);
uint64_t dhcp6_client_get_dropped(const Dhcp6Client *client);

/* RFC 8415 §15: the time until a message is sent again. `previous` is 0 for the first time. Pure. */
uint64_t dhcp6_retransmit_usec(uint64_t previous, uint64_t initial, uint64_t maximum, uint32_t random);
