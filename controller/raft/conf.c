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
#define MARKER_ID    (UINT64_C(1) << 62) /* Of the server that is none. */
#define MARKER_TEXT  "last-id-"
#define SERVERS_MAX  (CONF_MEMBERS_MAX + 1u)

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
    if (a->api.n == 0 && a->incarnation == 0) {
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

const struct conf_server *membership_find(const struct membership *c, uint64_t id)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (c->member[i].id == id) {
            return &c->member[i];
        }
    }
    return NULL;
}

unsigned membership_voters(const struct membership *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n; i++) {
        n += c->member[i].role == RAFT_VOTER;
    }
    return n;
}

struct cursor {
    const uint8_t *p;
    size_t n; /* Bytes left. */
};

struct seen {
    uint64_t id;
    const char *address;
    int role;
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
    me->role = *c->p;
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

/* Insert in order of id. */
static struct conf_server *insert(struct membership *c, uint64_t id)
{
    unsigned at = c->n;
    for (; at > 0 && c->member[at - 1].id > id; at--) {
        c->member[at] = c->member[at - 1];
    }
    c->n++;
    c->member[at] = (struct conf_server){.id = id};
    return &c->member[at];
}

static int take_server(const struct seen *from, struct membership *c, struct err *err)
{
    struct str text = str_of(from->address);
    struct conf_server *to;
    uint64_t last = 0;
    if (from->id == MARKER_ID) {
        if (from->role != RAFT_SPARE || !str_starts(text, MARKER_TEXT) ||
            !str_u64(str_slice(text, sizeof MARKER_TEXT - 1, text.n), &last)) {
            return err_set(err, ERR_CORRUPT, "last id '%.*s'", STR_ARG(text));
        }
        c->has_last_id = true;
        c->last_id = last > c->last_id ? last : c->last_id;
        return 0;
    }
    if (c->n == CONF_MEMBERS_MAX || text.n >= CONF_ADDRESS_MAX) {
        return err_set(err, ERR_CORRUPT, "too many members, or an address of %zu bytes", text.n);
    }
    to = insert(c, from->id);
    to->role = from->role;
    (void)str_copy(to->address, sizeof to->address, text);
    c->last_id = from->id > c->last_id ? from->id : c->last_id;
    return 0;
}

int conf_read(const uint8_t *bytes, size_t len, struct membership *ret, struct err *err)
{
    struct membership conf = {.n = 0};
    struct seen seen[SERVERS_MAX];
    struct cursor c;
    uint64_t n;
    if (len < 9 || len > REPLICA_CONF_MAX || len % 8 != 0) {
        return err_set(err, ERR_CORRUPT, "configuration: %zu bytes", len);
    }
    if (bytes[0] != CONF_VERSION) {
        return err_set(err, ERR_CORRUPT, "configuration: version %u", bytes[0]);
    }
    n = get_u64(bytes + 1);
    if (n < 1 || n > SERVERS_MAX) {
        return err_set(err, ERR_CORRUPT, "configuration: %llu members", (unsigned long long)n);
    }
    memset(seen, 0, sizeof seen);
    c = (struct cursor){bytes + 9, len - 9};
    for (unsigned i = 0; i < n; i++) {
        int rv = check_member(&c, seen, i, err);
        if (rv == 0) {
            rv = take_server(&seen[i], &conf, err);
        }
        if (rv != 0) {
            return err_wrap(err, rv, "configuration");
        }
    }
    for (; c.n > 0; c.p++, c.n--) {
        if (*c.p != 0 || c.n >= 8) {
            return err_set(err, ERR_CORRUPT, "configuration: bytes after the last member");
        }
    }
    if (conf.n == 0) {
        return err_set(err, ERR_CORRUPT, "configuration: no members");
    }
    *ret = conf;
    return 0;
}

int conf_check(const uint8_t *bytes, size_t len, struct err *err)
{
    struct membership conf;
    return conf_read(bytes, len, &conf, err);
}

static int encode(const struct raft_configuration *servers, struct raft_buffer *ret,
                  struct err *err)
{
    struct raft_buffer bytes;
    int rv;
    if (raft_configuration_encode(servers, &bytes) != 0) {
        return err_set(err, ERR_NOMEM, "members");
    }
    rv = conf_check(bytes.base, bytes.len, err);
    if (rv != 0) {
        raft_free(bytes.base);
        return rv;
    }
    *ret = bytes;
    return 0;
}

int conf_write(const struct membership *c, struct raft_buffer *ret, struct err *err)
{
    struct raft_configuration servers;
    char marker[40];
    uint64_t last = c->last_id;
    int rv = c->n == 0 ? RAFT_BADID : 0;
    raft_configuration_init(&servers);
    for (unsigned i = 0; i < c->n && rv == 0; i++) {
        const struct conf_server *m = &c->member[i];
        rv = m->id > CONF_ID_MAX ? RAFT_BADID
                                 : raft_configuration_add(&servers, m->id, m->address, m->role);
        last = m->id > last ? m->id : last;
    }
    if (rv == 0) {
        (void)snprintf(marker, sizeof marker, MARKER_TEXT "%" PRIu64, last);
        rv = raft_configuration_add(&servers, MARKER_ID, marker, RAFT_SPARE);
    }
    rv = rv == 0 ? encode(&servers, ret, err)
                 : err_set(err, rv == RAFT_NOMEM ? ERR_NOMEM : ERR_INVALID,
                           "members: ids and addresses must be set and unique");
    raft_configuration_close(&servers);
    return rv;
}

int conf_encode(const struct conf_member *members, unsigned n, struct raft_buffer *ret,
                struct err *err)
{
    struct membership c = {.n = 0};
    if (n > CONF_MEMBERS_MAX) {
        return err_set(err, ERR_INVALID, "members: %u, at most %u", n, CONF_MEMBERS_MAX);
    }
    for (unsigned i = 0; i < n; i++) {
        struct conf_server *m = insert(&c, members[i].id);
        m->role = RAFT_VOTER;
        if (!str_copy(m->address, sizeof m->address, str_of(members[i].address))) {
            return err_set(err, ERR_TOOBIG, "member %" PRIu64 ": address too long", members[i].id);
        }
    }
    return conf_write(&c, ret, err);
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
