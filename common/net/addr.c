#include "common/net/addr.h"

#include "common/base/hash.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static int parse_port(struct str text, uint16_t *ret, struct err *err)
{
    uint64_t port;
    if (!str_u64(text, &port) || port > UINT16_MAX) {
        return err_set(err, ERR_INVALID, "port \"%.*s\": want 0 to 65535", STR_ARG(text));
    }
    *ret = (uint16_t)port;
    return 0;
}

int addr_split(struct str text, uint16_t default_port, char ret_host[ADDR_HOST_MAX],
               uint16_t *ret_port, struct err *err)
{
    struct str host;
    struct str port = {NULL, 0};
    bool has_port = false;
    uint16_t number = default_port;
    if (str_starts(text, "[")) {
        size_t end = str_find(text, ']', 1);
        host = str_slice(text, 1, end);
        if (end == text.n || (end + 1 < text.n && text.p[end + 1] != ':')) {
            return err_set(err, ERR_INVALID, "address \"%.*s\": want [ipv6]:port", STR_ARG(text));
        }
        has_port = end + 1 < text.n;
        port = str_slice(text, end + 2, text.n);
    } else {
        size_t colon = str_find(text, ':', 0);
        if (colon < text.n && str_find(text, ':', colon + 1) < text.n) {
            host = text; /* Two colons and no brackets: an IPv6 address without port. */
        } else {
            host = str_slice(text, 0, colon);
            has_port = colon < text.n;
            port = str_slice(text, colon + 1, text.n);
        }
    }
    if (host.n == 0 || host.n >= ADDR_HOST_MAX || memchr(host.p, '\0', host.n) != NULL) {
        return err_set(err, ERR_INVALID, "address \"%.*s\": want host:port", STR_ARG(text));
    }
    if (!has_port && default_port == 0) {
        return err_set(err, ERR_INVALID, "address \"%.*s\": the port is missing", STR_ARG(text));
    }
    if (has_port && parse_port(port, &number, err) != 0) {
        return err_wrap(err, ERR_INVALID, "address \"%.*s\"", STR_ARG(text));
    }
    (void)str_copy(ret_host, ADDR_HOST_MAX, host);
    *ret_port = number;
    return 0;
}

int addr_make(struct str ip, uint16_t port, struct addr *ret, struct err *err)
{
    struct addr a;
    char text[ADDR_TEXT_MAX];
    memset(&a, 0, sizeof a);
    if (!str_copy(text, sizeof text, ip) || memchr(ip.p == NULL ? "" : ip.p, '\0', ip.n) != NULL) {
        return err_set(err, ERR_INVALID, "\"%.*s\" is not an IP address", STR_ARG(ip));
    }
    if (inet_pton(AF_INET, text, &a.u.v4.sin_addr) == 1) {
        a.u.v4.sin_family = AF_INET;
        a.u.v4.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, text, &a.u.v6.sin6_addr) == 1) {
        a.u.v6.sin6_family = AF_INET6;
        a.u.v6.sin6_port = htons(port);
    } else {
        return err_set(err, ERR_INVALID, "\"%s\" is not an IP address", text);
    }
    *ret = a;
    return 0;
}

int addr_parse(struct str text, uint16_t default_port, struct addr *ret, struct err *err)
{
    char host[ADDR_HOST_MAX];
    uint16_t port = 0;
    int rv = addr_split(text, default_port, host, &port, err);
    return rv != 0 ? rv : addr_make(str_of(host), port, ret, err);
}

bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret)
{
    struct addr a;
    memset(&a, 0, sizeof a);
    if (sa->sa_family == AF_INET) {
        memcpy(&a.u.v4, sa, sizeof a.u.v4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&a.u.v6, sa, sizeof a.u.v6);
        if (IN6_IS_ADDR_V4MAPPED(&a.u.v6.sin6_addr)) {
            struct sockaddr_in v4;
            memset(&v4, 0, sizeof v4);
            v4.sin_family = AF_INET;
            v4.sin_port = a.u.v6.sin6_port;
            memcpy(&v4.sin_addr, &a.u.v6.sin6_addr.s6_addr[12], 4);
            memset(&a, 0, sizeof a);
            a.u.v4 = v4;
        }
    } else {
        return false;
    }
    *ret = a;
    return true;
}

bool addr_is_none(const struct addr *a)
{
    return a->u.sa.sa_family != AF_INET && a->u.sa.sa_family != AF_INET6;
}

const char *addr_ip_text(const struct addr *a, char ret[ADDR_TEXT_MAX])
{
    const void *ip = a->u.sa.sa_family == AF_INET ? (const void *)&a->u.v4.sin_addr
                                                  : (const void *)&a->u.v6.sin6_addr;
    if (addr_is_none(a) || inet_ntop(a->u.sa.sa_family, ip, ret, ADDR_TEXT_MAX) == NULL) {
        (void)str_copy(ret, ADDR_TEXT_MAX, STR("none"));
    }
    return ret;
}

const char *addr_text(const struct addr *a, char ret[ADDR_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];
    int n;
    if (addr_is_none(a)) {
        return addr_ip_text(a, ret);
    }
    n = snprintf(ret, ADDR_TEXT_MAX, a->u.sa.sa_family == AF_INET ? "%s:%u" : "[%s]:%u",
                 addr_ip_text(a, ip), (unsigned)addr_port(a));
    assert(n > 0 && n < ADDR_TEXT_MAX);
    return ret;
}

uint16_t addr_port(const struct addr *a)
{
    if (addr_is_none(a)) {
        return 0;
    }
    return ntohs(a->u.sa.sa_family == AF_INET ? a->u.v4.sin_port : a->u.v6.sin6_port);
}

void addr_set_port(struct addr *a, uint16_t port)
{
    assert(!addr_is_none(a));
    if (a->u.sa.sa_family == AF_INET) {
        a->u.v4.sin_port = htons(port);
    } else {
        a->u.v6.sin6_port = htons(port);
    }
}

socklen_t addr_len(const struct addr *a)
{
    return a->u.sa.sa_family == AF_INET ? sizeof a->u.v4 : sizeof a->u.v6;
}

/* The address bytes without the port. */
static struct str ip_bytes(const struct addr *a)
{
    if (a->u.sa.sa_family == AF_INET) {
        return str_make((const char *)&a->u.v4.sin_addr, sizeof a->u.v4.sin_addr);
    }
    if (a->u.sa.sa_family == AF_INET6) {
        return str_make((const char *)&a->u.v6.sin6_addr, sizeof a->u.v6.sin6_addr);
    }
    return str_make(NULL, 0);
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->u.sa.sa_family == AF_INET) {
        return ntohl(a->u.v4.sin_addr.s_addr) >> 24 == 127;
    }
    return a->u.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->u.v6.sin6_addr);
}

bool addr_ip_eq(const struct addr *a, const struct addr *b)
{
    return str_eq(ip_bytes(a), ip_bytes(b));
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return addr_ip_eq(a, b) && addr_port(a) == addr_port(b);
}

uint64_t addr_ip_hash(const struct addr *a)
{
    struct str ip = ip_bytes(a);
    return hash_bytes(ip.p, ip.n, 0);
}

/* --- names
 * ----------------------------------------------------------------------------------------- */

struct addr_resolve {
    addr_resolve_cb cb; /* NULL once cancelled. */
    void *data;
    struct loop_soon *soon; /* For numeric text. */
    uv_getaddrinfo_t req;
    struct addr numeric;
    uint16_t port;
    char host[ADDR_HOST_MAX];
};

static void resolve_free(struct addr_resolve *r)
{
    loop_soon_close(r->soon);
    mem_free(sysmem(), r, sizeof *r);
}

static void resolve_numeric(void *data)
{
    struct addr_resolve *r = data;
    static const struct err none = {0, ""};
    r->cb(r->data, 0, &r->numeric, 1, &none);
    resolve_free(r);
}

static unsigned collect(const struct addrinfo *found, uint16_t port, struct addr *ret)
{
    unsigned n = 0;
    for (const struct addrinfo *ai = found; ai != NULL && n < ADDR_RESOLVED_MAX; ai = ai->ai_next) {
        if (addr_from_sockaddr(ai->ai_addr, &ret[n])) {
            addr_set_port(&ret[n], port);
            n++;
        }
    }
    return n;
}

static void resolve_done(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct addr_resolve *r = req->data;
    struct addr addrs[ADDR_RESOLVED_MAX];
    struct err err = {0};
    if (r->cb != NULL) {
        unsigned n = status == 0 ? collect(found, r->port, addrs) : 0;
        if (n == 0) {
            err_set(&err, ERR_UNAVAILABLE, "resolve %s: %s", r->host,
                    status != 0 ? uv_strerror(status) : "no addresses");
        }
        r->cb(r->data, err.code, addrs, n, &err);
    }
    uv_freeaddrinfo(found);
    resolve_free(r);
}

int addr_resolve_start(uv_loop_t *loop, struct str text, uint16_t default_port, addr_resolve_cb cb,
                       void *data, struct addr_resolve **ret, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addr_resolve *r = mem_alloc(sysmem(), sizeof *r);
    int rv = addr_split(text, default_port, r->host, &r->port, err);
    if (rv != 0) {
        goto fail;
    }
    r->cb = cb;
    r->data = data;
    r->req.data = r;
    if (addr_make(str_of(r->host), r->port, &r->numeric, NULL) == 0) {
        r->soon = loop_soon_open(loop, resolve_numeric, r);
        loop_soon_post(r->soon);
        *ret = r;
        return 0;
    }
    rv = uv_getaddrinfo(loop, &r->req, resolve_done, r->host, NULL, &hints);
    if (rv != 0) {
        rv = err_set(err, ERR_IO, "resolve %s: %s", r->host, uv_strerror(rv));
        goto fail;
    }
    *ret = r;
    return 0;

fail:
    resolve_free(r);
    return rv;
}

void addr_resolve_cancel(struct addr_resolve *r)
{
    if (r == NULL) {
        return;
    }
    assert(r->cb != NULL);
    if (r->soon != NULL) {
        resolve_free(r);
        return;
    }
    r->cb = NULL;
    (void)uv_cancel((uv_req_t *)&r->req); /* If it runs already, its answer is dropped. */
}
