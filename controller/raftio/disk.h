/* controller/raftio/disk.h
 *
 * The few things the log needs of a disk, as a table: one directory with files in it. disk_posix.c
 * is the real one; the simulator brings one that forgets and tears what was not synced.
 *
 * Every function blocks, returns 0 or ERR_*, and fills err with file and reason. What is written is
 * durable after sync(); a name (made, renamed, removed) after sync_dir(). */
#ifndef CONTROLLER_RAFTIO_DISK_H
#define CONTROLLER_RAFTIO_DISK_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_NAME_MAX 64 /* With NUL. */

/* Called by list() for each file; not "." and "..". */
typedef void (*disk_name_cb)(void *arg, const char *name);

struct disk {
    /* Open for reading and writing; with create an empty file is made when there is none.
     * ERR_NOTFOUND otherwise. */
    int (*open)(void *ctx, const char *name, bool create, void **ret_file, struct err *err);
    void (*close)(void *ctx, void *file);
    int (*size)(void *ctx, void *file, uint64_t *ret, struct err *err);
    /* All n bytes, or an error; ERR_CORRUPT when the file ends before. */
    int (*pread)(void *ctx, void *file, uint64_t offset, void *to, size_t n, struct err *err);
    /* All n bytes, or an error; may make the file longer. */
    int (*pwrite)(void *ctx, void *file, uint64_t offset, const void *from, size_t n,
                  struct err *err);
    int (*sync)(void *ctx, void *file, struct err *err);
    /* Make the file size bytes long, with space reserved for all of it; new bytes are 0. */
    int (*allocate)(void *ctx, void *file, uint64_t size, struct err *err);
    int (*rename)(void *ctx, const char *from, const char *to, struct err *err);
    int (*unlink)(void *ctx, const char *name, struct err *err);
    int (*sync_dir)(void *ctx, struct err *err);
    int (*list)(void *ctx, disk_name_cb cb, void *arg, struct err *err);
    /* Bytes that could still be reserved. */
    int (*room)(void *ctx, uint64_t *ret, struct err *err);
    void *ctx;
};

/* The real disk: path is a directory, made if missing (its parent must exist), locked against a
 * second process until disk_posix_close(). */
int disk_posix_open(const char *path, struct disk *ret, struct err *err);
void disk_posix_close(struct disk *d); /* Zeroed is fine. */

/* A directory to look at, not to touch: for the operators' tools. Nothing is made, locked, synced
 * or removed; what is written goes nowhere, and a file that should be created is an empty one in
 * memory. So the same code that opens a log for a controller can be run to see what it would say.
 * ERR_NOTFOUND when there is no such directory. */
int disk_readonly_open(const char *path, struct disk *ret, struct err *err);
void disk_readonly_close(struct disk *d); /* Zeroed is fine. */

#endif
