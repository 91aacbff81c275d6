/* controller/raft/conf.h
 *
 * Cluster configurations as bytes: what libraft keeps in RAFT_CHANGE entries and what travels with
 * snapshots. libraft reads these bytes without looking where they end, so nothing may reach it
 * that conf_check() has not accepted. Pure.
 *
 * What libraft calls the address of a server is for us:
 *
 *   PEER/API                the raft port and the front door, "10.0.0.1:7444/10.0.0.1:7443"
 *   PEER/API/INCARNATION    and which data directory the member has, 16 hex digits
 *   PEER                    as 0.1 wrote it
 *
 * so that the configuration in the log is the authority for both addresses, and a member that
 * comes back with another (wiped) directory can be told from the one that voted. */
#ifndef CONTROLLER_RAFT_CONF_H
#define CONTROLLER_RAFT_CONF_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_MEMBERS_MAX 7u
#define CONF_ADDRESS_MAX 288u       /* Bytes of an address, with its NUL. */
#define CONF_ID_MAX      UINT32_MAX /* Of a member. */

struct conf_member {
    uint64_t id;         /* > 0. */
    const char *address; /* Not empty. */
};

/* --- addresses ------------------------------------------------------------------------------- */

struct conf_address { /* An address taken apart; texts are borrowed from it. */
    struct str peer;
    struct str api;       /* Empty: not known (0.1). */
    uint64_t incarnation; /* 0: not recorded yet. */
};

/* Parts that are not there are left empty; an incarnation that is none reads as 0. */
struct conf_address conf_address_read(const char *text);

/* NUL-terminated. ERR_INVALID: the peer part is empty or a part has a slash in it; ERR_TOOBIG. */
int conf_address_write(const struct conf_address *a, char text[CONF_ADDRESS_MAX], struct err *err);

/* --- configurations -------------------------------------------------------------------------- */

/* Ids are never used again: whoever had one may have voted, and peers must not take another
 * directory for it. So new ids are above every id there ever was, and that one number is part of
 * the configuration: it is the address ("last-id-7") of a server with an id of its own, a spare, to
 * which libraft never sends anything. */

struct conf_server {
    uint64_t id;
    int role; /* RAFT_VOTER, RAFT_STANDBY or RAFT_SPARE. */
    char address[CONF_ADDRESS_MAX];
};

struct membership {
    struct conf_server member[CONF_MEMBERS_MAX]; /* In order of id. */
    unsigned n;
    uint64_t last_id; /* The highest id any member ever had. */
    bool has_last_id; /* It is recorded, not only the highest of today. */
};

/* The member, or NULL. */
const struct conf_server *membership_find(const struct membership *c, uint64_t id);
unsigned membership_voters(const struct membership *c);

/* ERR_CORRUPT as conf_check(). */
int conf_read(const uint8_t *bytes, size_t len, struct membership *ret, struct err *err);

/* What conf_read() reads, with last_id recorded. ret is raft_malloc()ed; release ret->base with
 * raft_free(). ERR_INVALID: no members, or ids or addresses that are not unique. */
int conf_write(const struct membership *c, struct raft_buffer *ret, struct err *err);

/* Is this a well-formed configuration: 1 to CONF_MEMBERS_MAX members, ids and addresses unique,
 * known roles, nothing but zeros after the last one? ERR_CORRUPT names what is wrong. */
int conf_check(const uint8_t *bytes, size_t len, struct err *err);

/* All members as voters, in order of id whatever order they are given in, so that every controller
 * writes the same bytes. ret is raft_malloc()ed; release ret->base with raft_free(). */
int conf_encode(const struct conf_member *members, unsigned n, struct raft_buffer *ret,
                struct err *err);

/* For libraft; bytes are checked first. Release with raft_configuration_close(). */
int conf_decode(const uint8_t *bytes, size_t len, struct raft_configuration *ret, struct err *err);

#endif
