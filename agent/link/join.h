/* agent/link/join.h
 *
 * How a machine becomes a node, and stays one: a join token buys a certificate for a key made
 * here; later the certificate buys its successor. The token names the CA by its SHA-256, so the
 * controller is known to be the right one before anything secret is said. */
#ifndef AGENT_LINK_JOIN_H
#define AGENT_LINK_JOIN_H

#include "agent/link/identity.h"
#include "agent/link/session.h"
#include "common/base/err.h"
#include "common/net/pki.h"
#include "common/net/tls.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define JOIN_SECRET_MAX 257

struct join_token { /* "ECSJOIN-1-<SHA-256 of the CA, 64 hex digits>-<secret, hex digits>" */
    char pin[PKI_PIN_MAX];
    char secret[JOIN_SECRET_MAX];
};

/* ERR_INVALID says what is wrong with it, without repeating it. */
int join_token_parse(const char *text, struct join_token *ret, struct err *err);

struct join_options {
    const char *data_dir;
    const char *token;
    const char *name; /* Of this machine, for people. */
    const char *const *controllers;
    size_t n_controllers;
    uint32_t timeout_ms; /* For all of it; 0: 60 s. */
};

/* Ask the controllers one after the other until one answers, and keep the identity it gives in
 * data_dir. Runs a loop of its own: blocking, for start-up. ERR_DENIED: the token is not accepted.
 */
int join_run(const struct join_options *options, struct err *err);

/* --- renewal -------------------------------------------------------------------------------------
 */
struct renewal; /* Opaque. */

/* Renew the certificate at a random moment between half and four fifths of its life, through the
 * session's controller; the new one is stored, and used for new connections. Everything is
 * borrowed. done (may be NULL) runs after each success. Loop thread only. */
struct renewal *renewal_open(uv_loop_t *loop, const struct identity *id, struct session *session,
                             struct tls_context *tls, uint64_t seed,
                             void (*done)(void *data, int64_t not_after_s), void *data);

/* Before the session is closed. NULL is fine. */
void renewal_close(struct renewal *r);

#endif
