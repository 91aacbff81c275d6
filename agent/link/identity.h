/* agent/link/identity.h
 *
 * Who this node is, as files in its data directory:
 *
 *   node.key   its private key (mode 0600); made here, never leaves
 *   node.pem   its certificate, which carries the node's id; written last: with it the node is one
 *   ca.pem     the cluster's CA
 *   node.conf  lines "cluster NAME" and "controller ADDRESS:PORT", as the controllers said them
 *
 * Blocking; start-up and the rare renewal only. */
#ifndef AGENT_LINK_IDENTITY_H
#define AGENT_LINK_IDENTITY_H

#include "agent/core/message.h"
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/str.h"

#include <stdint.h>

struct identity { /* Everything is in the arena given to identity_load(). */
    struct id node;
    const char *key_file;
    const char *cert_file;
    const char *ca_file;
    const char *domain; /* Trust domain. */
    const char *cluster;
    struct string_list controllers;
    int64_t not_before_s;
    int64_t not_after_s;
};

/* ERR_NOTFOUND: this machine has not joined yet. */
int identity_load(const char *data_dir, struct arena *arena, struct identity *ret, struct err *err);

/* Keep what joining gave. */
int identity_save(const char *data_dir, struct str key_pem, const struct join_response *r,
                  struct err *err);

/* Replace the certificate, and the CA unless ca_pem is "". */
int identity_renew(const struct identity *id, const char *cert_pem, const char *ca_pem,
                   struct err *err);

#endif
