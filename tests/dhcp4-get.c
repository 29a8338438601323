/* SPDX-License-Identifier: Apache-2.0 */

/* Gets one DHCPv4 lease on an interface and prints it: the library without the agent around it. */

#include "base/cleanup.h"
#include "net/dhcp4-runner.h"
#include "net/links.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static Dhcp4Runner *runner;
static Dhcp4Raw *raw;
static EventLoop *loop;

static void print_list(const char *name, const Ip4List *list) {
        char text[IP_ADDRESS_TEXT_MAX];

        for (size_t i = 0; i < list->n; i++) {
                IpAddress address = IP_ADDRESS_V4(list->addresses[i]);

                printf("%s=%s\n", name, ip_address_format(text, &address));
        }
}

static void print_address(const char *name, struct in_addr in) {
        print_list(name, &(Ip4List){ .addresses = { in }, .n = in.s_addr != INADDR_ANY });
}

static void print_text(const char *name, const char *text) {
        if (text)
                printf("%s=%s\n", name, text);
}

static void on_dhcp4(Dhcp4Event what, const Dhcp4Lease *lease, void *userdata) {
        (void) userdata;
        if (what != DHCP4_EVENT_BOUND)
                return;
        print_address("address", lease->address.address.v4);
        printf("prefix=%u\n", lease->address.length);
        print_address("server", lease->server);
        printf("lifetime=%u\nt1=%u\nt2=%u\n", lease->lifetime, lease->t1, lease->t2);
        print_list("router", &lease->routers);
        print_list("dns", &lease->dns);
        print_list("option_150", &lease->tftp_servers);
        print_text("option_66", lease->tftp_server_name);
        print_address("siaddr", lease->next_server);
        print_text("sname", lease->server_name);
        print_text("option_67", lease->boot_file);
        print_text("file", lease->file);
        event_loop_exit(loop, 0);
}

static void on_link(LinkEvent what, const Link *link, void *userdata) {
        Dhcp4RunnerConfig config = {
                .raw = raw,
                .ifindex = link->ifindex,
                .interface = link->name,
                .client = {
                        .address = link->address,
                        .mtu = (uint16_t) link->mtu,
                        .client_id = { 255, 0, 0, 0, 1, 0, 3, 0, 1 },
                        .n_client_id = 15,
                        .host_name = "SN19842256",
                        .vendor_class = "sdi",
                        .notify = on_dhcp4,
                },
        };
        int r;

        (void) userdata;
        if (what == LINK_REMOVED || !link->carrier || runner)
                return;
        memcpy(config.client.client_id + 9, &link->address, sizeof(link->address));
        r = dhcp4_runner_new(&runner, loop, &config);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", link->name, strerror(-r));
                event_loop_exit(loop, 1);
        }
}

int main(int argc, char **argv) {
        Netlink *netlink = NULL;
        Links *links = NULL;
        int r;

        if (argc != 2) {
                fprintf(stderr, "usage: dhcp4-get INTERFACE\n");
                return EXIT_FAILURE;
        }
        r = event_loop_new(&loop);
        if (r >= 0)
                r = netlink_open(&netlink);
        if (r >= 0)
                r = dhcp4_raw_new(&raw, loop);
        if (r >= 0)
                r = links_new(&links, loop, netlink, argv + 1, on_link, NULL);
        if (r >= 0)
                r = links_start(links);
        if (r >= 0)
                r = event_loop_run(loop);
        if (r < 0)
                fprintf(stderr, "dhcp4-get: %s\n", strerror(-r));

        dhcp4_runner_free(runner);
        dhcp4_raw_free(raw);
        links_free(links);
        netlink_free(netlink);
        event_loop_free(loop);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
