/* controller/auth/hasher.h
 *
 * SHA-256 of something that comes in pieces. Any thread, one at a time. */
#ifndef CONTROLLER_AUTH_HASHER_H
#define CONTROLLER_AUTH_HASHER_H

#include <stddef.h>
#include <stdint.h>

#define HASHER_HEX_LEN 64

struct hasher; /* Opaque. */

struct hasher *hasher_open(void);
void hasher_close(struct hasher *h); /* NULL is fine. */
void hasher_add(struct hasher *h, const uint8_t *bytes, size_t n);

/* The hash as lower-case hex; nothing may be added after it. */
void hasher_finish(struct hasher *h, char ret[HASHER_HEX_LEN + 1]);

#endif
