/* agent/net/nft.h
 *
 * The firewall table "ip ecs" of this network namespace: published ports (a map from protocol and
 * port to address and port), masquerading, and what containers must not reach. The fixed part is
 * loaded by the nft program once, at start; the map's elements go over netlink from here, one
 * atomic batch each. libnftables in process would do both and cost the agent over a megabyte.
 * Blocking (microseconds, the rules milliseconds); one thread at a time. */
#ifndef AGENT_NET_NFT_H
#define AGENT_NET_NFT_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct nft_port {
    uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    uint16_t node_port;
    uint32_t ip; /* Of the container, host byte order. */
    uint16_t container_port;
};

struct nft; /* Opaque. */

int nft_open(struct nft **ret, struct err *err);
void nft_close(struct nft *n); /* NULL is fine. */

/* Make the table, or bring one that is there up to date; published ports stay. */
int nft_load_rules(const char *program, const char *bridge, const char *subnet, struct err *err);

/* Publish n ports; what was published under their numbers is replaced. */
int nft_publish(struct nft *n, const struct nft_port *ports, uint32_t n_ports, struct err *err);

/* Not published is fine. */
int nft_withdraw(struct nft *n, const struct nft_port *ports, uint32_t n_ports, struct err *err);

/* These and no others, in one step. */
int nft_publish_only(struct nft *n, const struct nft_port *ports, uint32_t n_ports,
                     struct err *err);

/* Remove the table with everything in it; missing is fine. */
int nft_delete_table(struct nft *n, struct err *err);

#endif
