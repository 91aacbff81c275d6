/* tests/sim/simdisk.h
 *
 * A disk that behaves as badly as real ones may: until sync(), each 512-byte sector of a write may
 * or may not survive a crash; until sync_dir(), names may or may not. What was synced survives. */
#ifndef TESTS_SIM_SIMDISK_H
#define TESTS_SIM_SIMDISK_H

#include "common/base/mem.h"
#include "common/base/prng.h"
#include "controller/raftio/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct simdisk; /* Opaque. */

struct simdisk *simdisk_open(const struct mem *mem);
void simdisk_close(struct simdisk *s); /* NULL is fine. */

/* For the code under test. */
const struct disk *simdisk_disk(struct simdisk *s);

/* Power fails. Open files are forgotten (they must not be used or closed any more). */
void simdisk_crash(struct simdisk *s, struct prng *prng);

/* The n-th operation from now that writes, and all after it, fail with ERR_IO; a failing write
 * leaves a part of its bytes. 0: nothing fails. A crash resets it. */
void simdisk_fail_after(struct simdisk *s, unsigned n);

/* Make an open file shorter or longer; durable after its sync(). 0 or ERR_IO. */
int simdisk_truncate(struct simdisk *s, void *file, uint64_t size);

/* What was written so far: a byte of pwrite() counts one, and so does any other operation that
 * changes something. */
uint64_t simdisk_spent(const struct simdisk *s);

/* Everything stops after that many more: of a write that goes beyond, the first bytes are taken;
 * it and all that follows fail with ERR_IO. UINT64_MAX: nothing stops. A crash resets it. */
void simdisk_stop_after(struct simdisk *s, uint64_t units);

/* How many states a power failure could leave now: any subset of the unsynced sectors and file
 * sizes, and any number of the first changes of names. Less than 2^60 or it is an assertion. */
uint64_t simdisk_outcomes(const struct simdisk *s);

/* Power fails and leaves one of them: 0 keeps nothing, the last one everything. */
void simdisk_crash_to(struct simdisk *s, uint64_t outcome);

/* The process dies, the power stays: open files are forgotten, what was written is there but no
 * more durable than before. */
void simdisk_kill(struct simdisk *s);

/* Another disk with the same contents, without open files. Released with simdisk_close(). */
struct simdisk *simdisk_copy(const struct simdisk *s);

/* From now on sync() and sync_dir() do nothing but say they did: a planted fault. */
void simdisk_lie(struct simdisk *s);

/* Bytes that are left before allocate() says ERR_FULL. */
void simdisk_set_room(struct simdisk *s, uint64_t bytes);

/* Change n bytes of a file, durably, behind everybody's back. Returns whether the file is there
 * and long enough. */
bool simdisk_poke(struct simdisk *s, const char *name, uint64_t offset, const void *bytes,
                  size_t n);

/* The same for reading. */
bool simdisk_peek(struct simdisk *s, const char *name, uint64_t offset, void *to, size_t n);

/* A random place in a file; false when there are no bytes. */
bool simdisk_pick(struct simdisk *s, struct prng *prng, char name[DISK_NAME_MAX],
                  uint64_t *ret_offset);

/* Remove a file, durably. Returns whether it was there. */
bool simdisk_remove(struct simdisk *s, const char *name);

unsigned simdisk_files(const struct simdisk *s);

#endif
