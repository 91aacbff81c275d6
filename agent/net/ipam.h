/* agent/net/ipam.h
 *
 * Addresses of one IPv4 range, given out in turn so that one just returned is the last to be given
 * again. The network address, the first address (the bridge's own) and the broadcast address are
 * never given. Pure. */
#ifndef AGENT_NET_IPAM_H
#define AGENT_NET_IPAM_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define IPAM_PREFIX_MIN 16
#define IPAM_PREFIX_MAX 28
#define IPAM_TEXT_MAX   16

struct ipam {
    uint32_t base; /* Host byte order, as all addresses here. */
    uint32_t size; /* Addresses in the range, a power of two. */
    uint8_t prefix;
    /* Private. */
    uint32_t next;
    uint64_t used[(1u << (32 - IPAM_PREFIX_MIN)) / 64];
};

/* "172.29.0.0/20" */
int ipam_init(struct ipam *p, struct str range, struct err *err);

uint32_t ipam_gateway(const struct ipam *p);

/* ERR_FULL when none is left. */
int ipam_take(struct ipam *p, uint32_t *ret, struct err *err);

/* This one, as after a restart. False when it is outside or taken. */
bool ipam_take_this(struct ipam *p, uint32_t ip);

/* Not taken is fine. */
void ipam_give_back(struct ipam *p, uint32_t ip);

bool ip_parse(struct str text, uint32_t *ret);
void ip_text(uint32_t ip, char ret[IPAM_TEXT_MAX]);

#endif
