/* controller/raft/conf.h
 *
 * Cluster configurations as bytes: what libraft keeps in RAFT_CHANGE entries and what travels with
 * snapshots. libraft reads these bytes without looking where they end, so nothing may reach it
 * that conf_check() has not accepted. Pure. */
#ifndef CONTROLLER_RAFT_CONF_H
#define CONTROLLER_RAFT_CONF_H

#include "common/base/err.h"

#include <raft.h>
#include <stddef.h>
#include <stdint.h>

struct conf_member {
    uint64_t id;         /* > 0. */
    const char *address; /* Not empty. */
};

/* Is this a well-formed configuration: 1 to REPLICA_MEMBERS_MAX members, ids and addresses unique,
 * known roles, nothing but zeros after the last one? ERR_CORRUPT names what is wrong. */
int conf_check(const uint8_t *bytes, size_t len, struct err *err);

/* All members as voters, in order of id whatever order they are given in, so that every controller
 * writes the same bytes. ret is raft_malloc()ed; release ret->base with raft_free(). */
int conf_encode(const struct conf_member *members, unsigned n, struct raft_buffer *ret,
                struct err *err);

/* For libraft; bytes are checked first. Release with raft_configuration_close(). */
int conf_decode(const uint8_t *bytes, size_t len, struct raft_configuration *ret, struct err *err);

#endif
