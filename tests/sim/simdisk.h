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

/* Remove a file, durably. Returns whether it was there. */
bool simdisk_remove(struct simdisk *s, const char *name);

unsigned simdisk_files(const struct simdisk *s);

#endif
