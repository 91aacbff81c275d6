/* controller/auth/principal.h
 *
 * Who is calling. Everything that decides about a request gets a principal, never a socket or a
 * certificate, so that a forwarded call is judged like a direct one. Plain values; any thread. */
#ifndef CONTROLLER_AUTH_PRINCIPAL_H
#define CONTROLLER_AUTH_PRINCIPAL_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/pki.h"

#include <stdbool.h>

/* Numbers are on the wire between controllers: never reused. */
enum principal_kind {
    PRINCIPAL_NONE = 0,       /* Nobody: a TLS client without certificate. */
    PRINCIPAL_ADMIN = 1,      /* A person or program with an admin certificate. */
    PRINCIPAL_CONTROLLER = 2, /* Another controller. */
    PRINCIPAL_AGENT = 3,      /* A node. */
    PRINCIPAL_INSECURE = 4,   /* Whoever can reach the insecure listener. */
    PRINCIPAL_N
};

struct principal { /* Zeroed: nobody. */
    enum principal_kind kind;
    char id[PKI_ID_MAX]; /* As in the certificate. */
};

/* What a call may be about. */
enum access {
    ACCESS_API,      /* The ECS API and the administration of the control plane. */
    ACCESS_INTERNAL, /* Between controllers. */
    ACCESS_PUBLIC,   /* Health and reflection: no secrets, no changes. */
};

/* The caller behind a verified certificate (role none: no certificate was shown). */
struct principal principal_of_peer(const struct pki_identity *peer);

/* The caller on a listener without TLS. */
struct principal principal_of_insecure(void);

/* A principal that another controller vouches for. ERR_INVALID for an unknown kind or an id that is
 * too long. */
int principal_of_forward(uint32_t kind, struct str id, struct principal *ret, struct err *err);

/* "none", "admin", ...; never NULL. */
const char *principal_kind_name(enum principal_kind kind);

/* For the audit: "admin/alice", "insecure-api"; in the arena. */
char *principal_text(const struct principal *p, struct arena *arena);

/* May the caller do this at all? ERR_NOTFOUND: the caller is nobody and should say who it is.
 * ERR_DENIED: it is somebody without this right. */
int principal_check(const struct principal *p, enum access access, struct err *err);

#endif
