/* tests/attack/wire.h
 *
 * An attacker's end of a connection: TCP or TLS with whatever certificate he has, blocking, with a
 * time limit on everything. Shares nothing with the code under attack. */
#ifndef TESTS_ATTACK_WIRE_H
#define TESTS_ATTACK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire; /* Opaque. */

struct wire_target {
    const char *host; /* IPv4 address. */
    uint16_t port;
    bool tls;
    const char *cert; /* PEM files; NULL: none. */
    const char *key;
    const char *alpn; /* NULL: none. */
};

/* NULL when nobody listens, or the handshake was refused. */
struct wire *wire_open(const struct wire_target *t);
void wire_close(struct wire *w); /* NULL is fine. */

/* Whether all of it went out. What the peer does with it is seen by reading. */
bool wire_write(struct wire *w, const void *bytes, size_t n);

/* Bytes read (> 0), 0 when the peer has closed, -1 when nothing came within the time. */
int wire_read(struct wire *w, void *to, size_t size, int timeout_ms);

/* Did the peer close the connection within the time? Reads away what it still says. */
bool wire_closed(struct wire *w, int timeout_ms);

void wire_sleep_ms(int ms);

#endif
