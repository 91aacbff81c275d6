/* controller/storage/history_file.h
 *
 * Writing history.db. Internal to storage: the storage thread's. */
#ifndef CONTROLLER_STORAGE_HISTORY_FILE_H
#define CONTROLLER_STORAGE_HISTORY_FILE_H

#include "common/base/arena.h"
#include "controller/storage/history.h"

#include <sqlite3.h>

struct history_queue { /* Records in the order of their arrival. Not locked. */
    struct history_item {
        struct history_item *next;
        struct history_record record;
    } * head;
    struct history_item **tail;
    uint64_t n;
    struct arena arena;
};

void history_queue_init(struct history_queue *q, const struct mem *mem);
void history_queue_close(struct history_queue *q);
void history_queue_clear(struct history_queue *q);
void history_queue_put(struct history_queue *q, const struct history_record *record);

struct history_file { /* Zeroed before use. */
    sqlite3 *sql;
    sqlite3_stmt *insert;
    struct history_limits limits;
    uint64_t n_records; /* In the file. */
    uint64_t n_since;   /* Since the last look at the limits. */
};

/* Open or create; a damaged file, or one that is something else, is replaced by an empty one. */
int history_file_open(struct history_file *f, const char *path, const struct history_limits *limits,
                      struct err *err);
void history_file_close(struct history_file *f);

/* Write the queue in one transaction and drop what is too old or too much. */
int history_file_write(struct history_file *f, const struct history_queue *q, struct err *err);

#endif
