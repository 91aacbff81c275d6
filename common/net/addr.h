/* common/net/addr.h
 *
 * Socket addresses as values, their text form ("10.0.0.1:7443", "[::1]:80") and name resolution
 * off the loop thread. Parsing and formatting are pure; the resolver belongs to the loop thread. */
#ifndef COMMON_NET_ADDR_H
#define COMMON_NET_ADDR_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define ADDR_TEXT_MAX 64  /* "[ipv6%scope]:port" and its NUL. */
#define ADDR_HOST_MAX 254 /* A DNS name and its NUL. */

struct addr { /* Zeroed means "none". */
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } u;
};

/* Numeric only: "1.2.3.4:80", "[::1]:80", and without ":port" when default_port is not 0. */
int addr_parse(struct str text, uint16_t default_port, struct addr *ret, struct err *err);

/* A numeric address without port ("1.2.3.4", "::1") and a port. */
int addr_make(struct str ip, uint16_t port, struct addr *ret, struct err *err);

/* "host:port" into its parts, host being a name or an address without brackets. */
int addr_split(struct str text, uint16_t default_port, char ret_host[ADDR_HOST_MAX],
               uint16_t *ret_port, struct err *err);

/* From the kernel's form; false for families other than IPv4 and IPv6. IPv4 mapped into IPv6
 * becomes IPv4, so that one peer has one address. */
bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret);

/* Always terminated; "none" for a zeroed address. Both return ret. */
const char *addr_text(const struct addr *a, char ret[ADDR_TEXT_MAX]);    /* With port. */
const char *addr_ip_text(const struct addr *a, char ret[ADDR_TEXT_MAX]); /* Without. */

uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
socklen_t addr_len(const struct addr *a);
bool addr_is_none(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_ip_eq(const struct addr *a, const struct addr *b);
bool addr_eq(const struct addr *a, const struct addr *b); /* Address and port. */
uint64_t addr_ip_hash(const struct addr *a);

/* --- names
 * ----------------------------------------------------------------------------------------- */
#define ADDR_RESOLVED_MAX 8

struct addr_resolve; /* Opaque: one lookup. */

/* status 0: n >= 1 addresses in the resolver's order. Otherwise err says why. */
typedef void (*addr_resolve_cb)(void *data, int status, const struct addr *addrs, unsigned n,
                                const struct err *err);

/* Look up "host:port"; numeric text needs no lookup but is answered from the loop all the same.
 * cb runs exactly once, never inside this call, unless the lookup is cancelled. */
int addr_resolve_start(uv_loop_t *loop, struct str text, uint16_t default_port, addr_resolve_cb cb,
                       void *data, struct addr_resolve **ret, struct err *err);

/* cb will not run. Not after cb ran: the object is gone then. NULL is fine. */
void addr_resolve_cancel(struct addr_resolve *r);

#endif
