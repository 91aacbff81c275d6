/* controller/storage/image.h
 *
 * A checkpoint as the operators' tools see it: opened for reading only, from a data directory, a
 * file, or bytes in memory, and never changed. One thread; blocking. */
#ifndef CONTROLLER_STORAGE_IMAGE_H
#define CONTROLLER_STORAGE_IMAGE_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "controller/codec/object.h"
#include "controller/core/store.h"
#include "controller/storage/checkpoint.h"

#include <stdbool.h>
#include <stdint.h>

struct image; /* Opaque. */

/* Open a checkpoint file, with what its WAL adds. While a controller has it open it is read beside
 * it; a WAL that a crash left is read from a private copy. ERR_NOTFOUND, ERR_CORRUPT. */
int image_open(const char *path, struct image **ret, struct err *err);

/* The same of a file in memory, as Backup sends it; the bytes are borrowed until image_close(). */
int image_open_bytes(const uint8_t *bytes, size_t n, struct image **ret, struct err *err);
void image_close(struct image *image); /* NULL is fine. */

/* What the tables amount to; rows_hash is 0 unless the file is a copy made to be sent. */
int image_point(struct image *image, struct storage_point *ret, uint64_t *ret_rows_hash,
                struct err *err);

/* Every row, by table and slot, also those that are damaged. A result other than 0 ends it. */
struct image_row {
    const char *table;
    enum kind kind;
    bool whole; /* The checksum fits. */
    int64_t slot;
    struct str bytes; /* For codec_decode_row(). */
};
typedef int (*image_row_cb)(void *ctx, const struct image_row *row, struct err *err);
int image_each(struct image *image, image_row_cb cb, void *ctx, struct err *err);

/* What SQLite finds wrong with its pages, one sentence each. */
typedef void (*image_fault_cb)(void *ctx, const char *what);
int image_faults(struct image *image, image_fault_cb cb, void *ctx, struct err *err);

/* Into a freshly opened store, checking all that storage_load() checks, and the hash over the rows
 * where one is recorded. */
int image_load(struct image *image, const struct codec *codec, struct store *store,
               const struct mem *mem, struct err *err);

#endif
