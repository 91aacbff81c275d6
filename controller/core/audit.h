/* controller/core/audit.h
 *
 * The auditor that every controller runs beside its work: goes round the tables for ever, a bounded
 * number of rows at a time, and checks what must always hold, from the rows alone and by other code
 * than keeps it. Changes nothing. Pure; one thread; the store may change between steps, so every
 * check is about one row and what hangs on it. */
#ifndef CONTROLLER_CORE_AUDIT_H
#define CONTROLLER_CORE_AUDIT_H

#include "common/base/mem.h"
#include "controller/core/store.h"

#include <stdbool.h>
#include <stdint.h>

enum audit_rule {
    AUDIT_OVERCOMMIT, /* A node's tasks reserve more than it has. */
    AUDIT_PORT,       /* A port of a node is given twice, or given and not held. */
    AUDIT_REFERENCE,  /* A row names another that is not there, or a task has no node. */
    AUDIT_INDEX,      /* A row is not found by its key, or is not in its owner's list. */
    AUDIT_COUNTER,    /* A counter is not what its rows say. */
    AUDIT_DEPLOYMENT, /* A service keeps more tasks than its deployment may have. */
    AUDIT_ORPHAN, /* A node runs what the state does not know, or has as over. Found by who hears
                   * the nodes (dispatch.h), not by the auditor. */
    AUDIT_N
};

#define AUDIT_TEXT_MAX     160
#define AUDIT_FINDINGS_MAX 64 /* Kept of one round; more are counted. */
#define AUDIT_SUSPECTS_MAX 64

struct audit_finding {
    uint8_t rule; /* enum audit_rule */
    uint8_t kind; /* The row it is about. */
    uint32_t slot;
    uint64_t revision; /* Of the state when it was found. */
    char text[AUDIT_TEXT_MAX];
};

struct audit_status {
    uint64_t n_rounds;                    /* Complete ones since the start. */
    uint64_t n_rows;                      /* Looked at since the start. */
    uint64_t n_found[AUDIT_N];            /* In the last complete round. */
    uint64_t n_total;                     /* Findings that were new, since the start. */
    const struct audit_finding *findings; /* Of the last complete round; until the next step. */
    uint32_t n_findings;
    const struct audit_finding *outside; /* Of now, from elsewhere: what nodes run. */
    uint32_t n_outside;
};

struct audit; /* Opaque. */

/* Called for a finding that the round before did not have; for the log. */
typedef void (*audit_cb)(void *ctx, const struct audit_finding *finding);

/* A round begins round_ms after the one before began. mem is borrowed until audit_close(). */
struct audit *audit_open(uint64_t round_ms, audit_cb cb, void *ctx, const struct mem *mem);
void audit_close(struct audit *a); /* NULL is fine. */

/* Look at about n rows; false when the round is complete and the next one not due. mono_ms never
 * goes back. */
bool audit_step(struct audit *a, const struct store *s, uint32_t n, uint64_t mono_ms);

/* The store is another one: the round begins anew. */
void audit_restart(struct audit *a);

/* Begin the next round at once. The number that n_rounds has when a round that began after now is
 * complete. */
uint64_t audit_hurry(struct audit *a);

void audit_status(const struct audit *a, struct audit_status *ret);

const char *audit_rule_name(enum audit_rule rule); /* "overcommit"; for metrics and logs. */

#endif
