/* controller/auth/secret.h
 *
 * Secrets that are handed out once and kept only as a hash, such as those of join tokens. A join
 * token reads ECSJOIN-1-<SHA-256 of the CA certificate, hex>-<secret, hex>: the first part lets the
 * node know the cluster, the second lets the cluster know the node. Any thread. */
#ifndef CONTROLLER_AUTH_SECRET_H
#define CONTROLLER_AUTH_SECRET_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdint.h>

#define SECRET_BYTES    16 /* 128 bits, from the operating system. */
#define SECRET_HEX_LEN  (2 * SECRET_BYTES)
#define SECRET_HASH_LEN 32

/* A fresh secret as hex, NUL-terminated. */
int secret_make(char ret[SECRET_HEX_LEN + 1], struct err *err);

/* SHA-256 of the secret's text. */
void secret_hash(struct str secret, uint8_t ret[SECRET_HASH_LEN]);

#endif
