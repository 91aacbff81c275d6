/* A checkpoint file as another controller may send it: SQLite reads it from memory with our
 * settings, every row is decoded and loaded. A refusal, or a store whose references all hold. */
#include "common/loop/sysmem.h"
#include "controller/codec/object.h"
#include "controller/core/store.h"
#include "controller/storage/db.h"
#include "tests/lib/simvfs.h"

#include <assert.h>
#include <stdlib.h>

#define FILE_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct loader {
    struct codec *codec;
    struct store *store;
    struct arena arena;
};

static int load_row(void *ctx, uint8_t kind, uint32_t slot, struct str bytes, struct err *err)
{
    struct loader *l = ctx;
    void *row;
    int rv = codec_decode_row(l->codec, (enum kind)kind, bytes, &l->arena, &row, err);
    if (rv == 0) {
        rv = store_load_row(l->store, (enum kind)kind, slot, row, err);
    }
    arena_clear(&l->arena);
    return rv;
}

static void load(sqlite3 *sql, struct codec *codec)
{
    struct loader l = {.codec = codec, .store = store_open(sysmem())};
    struct storage_point point;
    struct err err = {0};
    uint64_t hash;
    arena_init(&l.arena, sysmem());
    if (db_check_format(sql, &err) == 0 && db_get_point(sql, &point, &hash, &err) == 0 &&
        db_hash_rows(sql, &hash, &err) == 0 && db_each_row(sql, load_row, &l, &err) == 0 &&
        store_load_done(l.store, &err) == 0) {
        int rv = store_check(l.store, &err);
        assert(rv == 0);
    } else {
        assert(err.text[0] != '\0');
    }
    arena_close(&l.arena);
    store_close(l.store);
}

static void put_file(const struct disk *d, const uint8_t *data, size_t size)
{
    void *file;
    int rv = d->open(d->ctx, "incoming.db", true, &file, NULL);
    assert(rv == 0);
    rv = size == 0 ? 0 : d->pwrite(d->ctx, file, 0, data, size, NULL);
    assert(rv == 0);
    d->close(d->ctx, file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec *codec;
    struct simdisk *disk;
    sqlite3 *sql;
    if (codec == NULL && codec_open(sysmem(), &codec, NULL) != 0) {
        abort();
    }
    if (size > FILE_MAX) {
        return 0;
    }
    disk = simdisk_open(sysmem());
    simvfs_use(disk);
    put_file(simdisk_disk(disk), data, size);
    if (db_connect("incoming.db", SQLITE_OPEN_READWRITE, &sql, NULL) == 0) {
        load(sql, codec);
        (void)sqlite3_close(sql);
    }
    simdisk_close(disk);
    return 0;
}
