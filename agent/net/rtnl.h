/* agent/net/rtnl.h
 *
 * The few rtnetlink requests that container networks need. A struct rtnl is one socket, bound for
 * ever to the network namespace it was opened in. Blocking (microseconds); one thread at a time.
 * Making what is there already, and deleting what is not, are successes. */
#ifndef AGENT_NET_RTNL_H
#define AGENT_NET_RTNL_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define RTNL_MAC_LEN 6

struct rtnl; /* Opaque. */

int rtnl_open(struct rtnl **ret, struct err *err);
void rtnl_close(struct rtnl *r); /* NULL is fine. */

/* Index of the interface called name; ERR_NOTFOUND. */
int rtnl_index(struct rtnl *r, const char *name, uint32_t *ret, struct err *err);

int rtnl_add_bridge(struct rtnl *r, const char *name, const uint8_t mac[RTNL_MAC_LEN],
                    struct err *err);

/* A pair: name here, up, a port of bridge; peer (with mac) in the namespace that netns_fd names.
 * A left-over of that name is replaced. */
int rtnl_add_veth(struct rtnl *r, const char *name, uint32_t bridge, const char *peer,
                  const uint8_t mac[RTNL_MAC_LEN], int netns_fd, struct err *err);

/* Let frames leave a bridge port through which they came in. */
int rtnl_set_hairpin(struct rtnl *r, uint32_t index, struct err *err);

int rtnl_set_up(struct rtnl *r, uint32_t index, struct err *err);
int rtnl_add_address(struct rtnl *r, uint32_t index, uint32_t ip, uint8_t prefix, struct err *err);
int rtnl_add_default_route(struct rtnl *r, uint32_t index, uint32_t gateway, struct err *err);
int rtnl_delete_link(struct rtnl *r, const char *name, struct err *err);

#endif
