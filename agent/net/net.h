/* agent/net/net.h
 *
 * Container networks of this node. Bridge mode: an anonymous network namespace per container (its
 * supervisor's; nothing keeps it when that ends), a veth pair into the node's bridge, an address
 * from the node's range, published ports. "The node" is the network namespace the agent runs in;
 * several agents on one machine, each in a namespace of its own, do not notice each other.
 *
 * Blocking (milliseconds); any thread, one call at a time inside (a lock). */
#ifndef AGENT_NET_NET_H
#define AGENT_NET_NET_H

#include "agent/core/spec.h"
#include "common/base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct net_options {    /* Borrowed for the call. */
    const char *bridge; /* Interface name. */
    const char *subnet; /* "a.b.c.d/n" */
    const char *nft;    /* Program. */
};

struct net_endpoint { /* A container's place in the network. */
    uint32_t ip;      /* Host byte order. */
    const struct spec_port *ports;
    uint32_t n_ports;
};

struct net; /* Opaque. */

/* Make the bridge and the firewall table, or take over those of an earlier run. */
int net_open(const struct net_options *options, struct net **ret, struct err *err);

/* Release what is in this process; networks stay. NULL is fine. */
void net_close(struct net *n);

/* Reserve an address for a new container; net_detach() or net_release() gives it back. */
int net_reserve(struct net *n, uint32_t *ret_ip, struct err *err);
void net_release(struct net *n, uint32_t ip);

/* Give the network namespace of process pid the endpoint: lo, eth0, routes, published ports. */
int net_attach(struct net *n, pid_t pid, const struct net_endpoint *e, struct err *err);

/* Stop publishing its ports: it has ended. Ports that another endpoint took over stay. */
int net_withdraw(struct net *n, const struct net_endpoint *e, struct err *err);

/* The opposite of net_attach(), whatever of it is left, and release the address: once, because
 * then it may be somebody else's. */
int net_detach(struct net *n, const struct net_endpoint *e, struct err *err);

/* After a restart: exactly these exist. Reserves their addresses and publishes their ports and no
 * others. One that has ended is listed without ports. */
int net_adopt(struct net *n, const struct net_endpoint *list, uint32_t n_list, struct err *err);

/* Only lo: for network mode "none". */
int net_loopback(pid_t pid, struct err *err);

/* Remove bridge and table; missing is fine. */
int net_purge(const struct net_options *options, struct err *err);

#endif
