/* controller/storage/history.h
 *
 * history.db: what happened, for people: service events, stopped tasks, decisions with their
 * reasons, audit. Never needed to run: a broken file is replaced by an empty one, and when records
 * come faster than the disk takes them they are dropped and counted. The storage thread writes it
 * before the checkpoint, so that what a crash took away is made again by replaying the log.
 *
 * Records are keyed by (revision, position), so that replaying a log after a restart adds none
 * twice. */
#ifndef CONTROLLER_STORAGE_HISTORY_H
#define CONTROLLER_STORAGE_HISTORY_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct storage;
struct history; /* Opaque: a reader. */

enum history_kind {                    /* In files: never reused. */
                    HISTORY_EVENT = 1, /* Of a service, cluster or node; text is the message. */
                    HISTORY_TASK = 2,  /* A task that stopped; data is its encoded row. */
                    HISTORY_DEPLOYMENT = 3, /* text is the state it reached. */
                    HISTORY_DECISION = 4,   /* Why something was placed, stopped or not placed. */
                    HISTORY_AUDIT = 5,      /* Who asked for what; text is the outcome. */
};

struct history_record {
    uint64_t revision;  /* Of the command it comes from. */
    uint32_t position;  /* Among the records of that revision. */
    uint8_t kind;       /* enum history_kind */
    int64_t at;         /* Milliseconds since 1970. */
    struct str cluster; /* Name; may be empty. */
    struct str subject; /* "service/web", "task/0123...", "node/0123..." */
    struct str service; /* Name of the service it also concerns; may be empty. */
    struct str node;    /* Id of the node it also concerns; may be empty. */
    struct str text;
    struct str data; /* Bytes; may be empty. */
};

struct history_limits { /* Zeroed fields mean the default. */
    uint64_t age_ms;    /* Older records go. Default 7 days. */
    uint64_t n_records; /* More than these go, oldest first. Default 1,000,000. */
    uint64_t queue_max; /* Bytes waiting for the disk. Default 16 MiB. */
};

/* Queue a record; everything is copied. Never blocks, never fails. Owner's thread. */
void storage_history(struct storage *s, const struct history_record *record);

/* Write now what was queued so far, and not with the next rows. Returns how many records that are,
 * ever: when storage_history_settled() has reached it they are in the file, or lost; the owner is
 * woken then (struct storage_options). Owner's thread. */
uint64_t storage_history_flush(struct storage *s);
uint64_t storage_history_settled(struct storage *s);

/* --- reading --------------------------------------------------------------------------------- */

/* Open the history of a directory for reading; its own connection, one thread at a time.
 * Blocking: for workers, not for the loop. */
int history_open(const char *dir, struct history **ret, struct err *err);
void history_close(struct history *h); /* NULL is fine. */

struct history_query {  /* Zeroed fields select everything. */
    uint8_t kind;       /* 0: any. */
    struct str cluster; /* p NULL: any. Records without a cluster belong to every one. */
    struct str subject; /* p NULL: any. At most one of these three: */
    struct str service;
    struct str node;
    int64_t since;
    int64_t until;            /* 0: no end. */
    uint64_t before_revision; /* Continue a listing: strictly before this revision ... */
    uint32_t before_position; /* ... and position. 0, 0: from the newest. */
    uint32_t n_max;           /* At least 1. */
};

/* Newest first, in the arena. */
int history_read(struct history *h, const struct history_query *query, struct arena *arena,
                 struct history_record **ret, uint32_t *ret_n, struct err *err);

#endif
