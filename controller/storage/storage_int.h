/* controller/storage/storage_int.h
 *
 * The storage object, shared by the files of this folder. What the comment says belongs to the
 * owner's thread is touched by it alone; likewise the storage thread; the rest is under the lock.
 */
#ifndef CONTROLLER_STORAGE_STORAGE_INT_H
#define CONTROLLER_STORAGE_STORAGE_INT_H

#include "common/base/arena.h"
#include "controller/storage/checkpoint.h"
#include "controller/storage/db.h"
#include "controller/storage/history_file.h"
#include "controller/storage/pending.h"

#include <pthread.h>

enum storage_job { STORAGE_IDLE, STORAGE_WANTED, STORAGE_DONE };

#define STORAGE_CLOSING_MAX 8

struct storage {
    /* Constant once open. */
    struct storage_options options;
    const char *dir;
    const char *path;          /* checkpoint.db */
    const char *incoming_path; /* A checkpoint being received. */
    const char *outgoing_path; /* A copy to be sent. */
    int lock_fd;
    struct arena arena;
    pthread_t thread;
    bool started;
    bool has_lock;

    /* The owner's; incoming_size the thread's while install is WANTED. */
    struct pending open; /* Since the last commit. */
    int incoming_fd;     /* -1: nothing is being received. */
    uint64_t incoming_size;
    uint64_t incoming_done;

    /* The storage thread's. */
    struct db db;
    struct pending writing;
    struct history_file history;
    struct history_queue history_writing;
    int64_t written_at_us;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct pending ready;
    struct storage_point ready_point; /* Of everything in ready. */
    bool any_ready;                   /* A point without rows also counts. */
    bool flush;
    bool closing;
    struct history_queue history_ready;
    uint64_t n_told;    /* Records that were queued, ever, */
    uint64_t n_settled; /* and of these written or lost. */
    uint64_t awaited;   /* Somebody wants to know when so many are settled. */
    struct storage_point durable;
    struct err failed; /* code 0: all is well. */
    struct storage_stats stats;
    enum storage_job snapshot; /* DONE: outgoing_path is the state at snapshot_point. */
    struct storage_point snapshot_point;
    int64_t snapshot_at_us;
    int closing_fds[STORAGE_CLOSING_MAX]; /* Read to the end, for the thread to close. */
    unsigned n_closing_fds;
    enum storage_job install;
    uint64_t install_index;
    uint64_t install_term;
    struct storage_point install_point;
    struct err install_err;
};

/* malloc behind the mem interface; out of memory ends the process. */
const struct mem *storage_mem(void);

int64_t storage_now_us(void); /* CLOCK_MONOTONIC. */

/* On the storage thread, unlocked. A failure of the copy is only ours to report; one of the switch
 * leaves the checkpoint closed and is final. */
int snapshot_make(struct storage *s, struct storage_point *ret, struct err *err);
int snapshot_install(struct storage *s, struct storage_point *ret, bool *ret_final,
                     struct err *err);

#endif
