/* agent/proc/files.h
 *
 * Small files and whole directories. Nothing here follows a symbolic link in the last component.
 * Blocking; any thread. */
#ifndef AGENT_PROC_FILES_H
#define AGENT_PROC_FILES_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Append the file at path, below directory dir (AT_FDCWD: anywhere), to *to. ERR_NOTFOUND,
 * ERR_TOOBIG when it exceeds what *to may hold, or ERR_IO. */
int file_read(int dir, const char *path, struct buf *to, struct err *err);

/* Replace path by the n bytes in one step: readers see the old or the new content. durable: a
 * power cut after the return does not undo it. */
int file_write(int dir, const char *path, const void *bytes, size_t n, mode_t mode, bool durable,
               struct err *err);

/* Write n bytes to an existing file as one write(2): what /proc and cgroups want. */
int file_poke(int dir, const char *path, const char *text, struct err *err);

/* A number from a file such as /sys/fs/cgroup/.../memory.current; "max" gives UINT64_MAX. */
int file_u64(int dir, const char *path, unsigned long long *ret, struct err *err);

/* Make path and its missing parents. */
int dir_make(const char *path, mode_t mode, struct err *err);

/* Delete path with everything in it, whatever the depth; missing is fine. Does not cross into
 * mounted file systems (they make it fail). */
int dir_remove(int dir, const char *path, struct err *err);

#endif
