/* The format is libraft's own (version 1):
 *
 *   0  u8   1
 *   1  u64  number of members, little-endian, not aligned
 *      then for each: u64 id, address with its NUL, u8 role
 *      zeros up to a multiple of 8
 */
#include "controller/raft/conf.h"

#include "common/base/buf.h"
#include "controller/raft/replica.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONF_VERSION 1

/* --- addresses ------------------------------------------------------------------------------- */

static uint64_t read_incarnation(struct str text)
{
    uint64_t value = 0;
    if (text.n != 16) {
        return 0;
    }
    for (size_t i = 0; i < text.n; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *at = memchr(digits, text.p[i], 16);
        if (at == NULL) {
            return 0;
        }
        value = value << 4 | (uint64_t)(at - digits);
    }
    return value;
}

struct conf_address conf_address_read(const char *text)
{
    struct conf_address a = {0};
    struct str rest;
    a.peer = str_cut(str_of(text), '/', &rest);
    a.api = str_cut(rest, '/', &rest);
    a.incarnation = read_incarnation(rest);
    return a;
}

int conf_address_write(const struct conf_address *a, char text[CONF_ADDRESS_MAX], struct err *err)
{
    int n;
    if (a->peer.n == 0 || str_find(a->peer, '/', 0) < a->peer.n ||
        str_find(a->api, '/', 0) < a->api.n) {
        return err_set(err, ERR_INVALID, "'%.*s/%.*s' is not PEER_ADDRESS:PORT/API_ADDRESS:PORT",
                       STR_ARG(a->peer), STR_ARG(a->api));
    }
    if (a->api.n == 0) {
        n = snprintf(text, CONF_ADDRESS_MAX, "%.*s", STR_ARG(a->peer));
    } else if (a->incarnation == 0) {
        n = snprintf(text, CONF_ADDRESS_MAX, "%.*s/%.*s", STR_ARG(a->peer), STR_ARG(a->api));
    } else {
        n = snprintf(text, CONF_ADDRESS_MAX, "%.*s/%.*s/%016" PRIx64, STR_ARG(a->peer),
                     STR_ARG(a->api), a->incarnation);
    }
    if (n < 0 || (unsigned)n >= CONF_ADDRESS_MAX) {
        return err_set(err, ERR_TOOBIG, "addresses of %d bytes, limit %u", n, CONF_ADDRESS_MAX - 1);
    }
    return 0;
}

/* --- configurations -------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *p;
    size_t n; /* Bytes left. */
};

struct seen {
    uint64_t id;
    const char *address;
};

static int check_member(struct cursor *c, struct seen *seen, unsigned at, struct err *err)
{
    const uint8_t *nul;
    struct seen *me = &seen[at];
    if (c->n < 8) {
        return err_set(err, ERR_CORRUPT, "member %u: cut in its id", at);
    }
    me->id = get_u64(c->p);
    me->address = (const char *)c->p + 8;
    nul = memchr(c->p + 8, 0, c->n - 8);
    if (me->id == 0) {
        return err_set(err, ERR_CORRUPT, "member %u: id 0", at);
    }
    if (nul == NULL || nul == c->p + 8) {
        return err_set(err, ERR_CORRUPT, "member %u: address empty or without end", at);
    }
    c->n -= (size_t)(nul + 1 - c->p);
    c->p = nul + 1;
    if (c->n < 1 || c->p[0] > RAFT_SPARE) {
        return err_set(err, ERR_CORRUPT, "member %u: unknown role", at);
    }
    c->p++;
    c->n--;
    for (unsigned i = 0; i < at; i++) {
        if (seen[i].id == me->id || strcmp(seen[i].address, me->address) == 0) {
            return err_set(err, ERR_CORRUPT, "members %u and %u have the same id or address", i,
                           at);
        }
    }
    return 0;
}

int conf_check(const uint8_t *bytes, size_t len, struct err *err)
{
    struct seen seen[REPLICA_MEMBERS_MAX];
    struct cursor c;
    uint64_t n;
    if (len < 9 || len > REPLICA_CONF_MAX || len % 8 != 0) {
        return err_set(err, ERR_CORRUPT, "configuration: %zu bytes", len);
    }
    if (bytes[0] != CONF_VERSION) {
        return err_set(err, ERR_CORRUPT, "configuration: version %u", bytes[0]);
    }
    n = get_u64(bytes + 1);
    if (n < 1 || n > REPLICA_MEMBERS_MAX) {
        return err_set(err, ERR_CORRUPT, "configuration: %llu members", (unsigned long long)n);
    }
    c = (struct cursor){bytes + 9, len - 9};
    for (unsigned i = 0; i < n; i++) {
        int rv = check_member(&c, seen, i, err);
        if (rv != 0) {
            return err_wrap(err, rv, "configuration");
        }
    }
    for (; c.n > 0; c.p++, c.n--) {
        if (*c.p != 0 || c.n >= 8) {
            return err_set(err, ERR_CORRUPT, "configuration: bytes after the last member");
        }
    }
    return 0;
}

/* The member that follows `after` in order of id, or NULL. */
static const struct conf_member *next_member(const struct conf_member *members, unsigned n,
                                             uint64_t after)
{
    const struct conf_member *next = NULL;
    for (unsigned i = 0; i < n; i++) {
        if (members[i].id > after && (next == NULL || members[i].id < next->id)) {
            next = &members[i];
        }
    }
    return next;
}

int conf_encode(const struct conf_member *members, unsigned n, struct raft_buffer *ret,
                struct err *err)
{
    struct raft_configuration conf;
    struct raft_buffer bytes;
    const struct conf_member *m = next_member(members, n, 0);
    int rv = 0;
    raft_configuration_init(&conf);
    for (; m != NULL && rv == 0; m = next_member(members, n, m->id)) {
        rv = raft_configuration_add(&conf, m->id, m->address, RAFT_VOTER);
    }
    if (rv != 0 || conf.n != n || n == 0) {
        rv = err_set(err, rv == RAFT_NOMEM ? ERR_NOMEM : ERR_INVALID,
                     "members: ids and addresses must be set and unique");
        goto out;
    }
    rv = raft_configuration_encode(&conf, &bytes);
    if (rv != 0) {
        rv = err_set(err, ERR_NOMEM, "members");
        goto out;
    }
    rv = conf_check(bytes.base, bytes.len, err);
    if (rv != 0) {
        raft_free(bytes.base);
        goto out;
    }
    *ret = bytes;
out:
    raft_configuration_close(&conf);
    return rv;
}

int conf_decode(const uint8_t *bytes, size_t len, struct raft_configuration *ret, struct err *err)
{
    uint8_t copy[REPLICA_CONF_MAX];
    struct raft_buffer buf = {copy, len};
    int rv = conf_check(bytes, len, err);
    if (rv != 0) {
        return rv;
    }
    memcpy(copy, bytes, len);
    if (raft_configuration_decode(&buf, ret) != 0) {
        return err_set(err, ERR_NOMEM, "configuration");
    }
    return 0;
}
