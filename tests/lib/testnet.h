/* tests/lib/testnet.h
 *
 * A certificate authority for one test program, and the TLS contexts it needs. */
#ifndef TESTS_LIB_TESTNET_H
#define TESTS_LIB_TESTNET_H

#include "common/net/pki.h"
#include "common/net/tls.h"

#include <uv.h>

struct testnet { /* Text of a CA for the trust domain "test.ecs". */
    struct buf ca_key;
    struct buf ca;
};

void testnet_open(struct testnet *t);
void testnet_close(struct testnet *t);

/* A fresh certificate (for 127.0.0.1 and localhost too), appended to the two buffers, which this
 * initializes. days may be negative: expired. */
void testnet_issue(const struct testnet *t, enum pki_role role, const char *id, int days,
                   struct buf *ret_cert, struct buf *ret_key);

/* Contexts that trust the CA. role PKI_ROLE_NONE: a client without certificate. alpn may be NULL.
 */
struct tls_context *testnet_server(const struct testnet *t, enum pki_role role, const char *id,
                                   enum tls_verify verify, const char *const alpn[TLS_ALPN_MAX]);
struct tls_context *testnet_client(const struct testnet *t, enum pki_role role, const char *id,
                                   const char *const alpn[TLS_ALPN_MAX]);

/* Run the loop until *flag is true; false when that took longer than timeout_ms. */
bool testnet_until(uv_loop_t *loop, const bool *flag, unsigned timeout_ms);

#endif
