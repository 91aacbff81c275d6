/* The checkpoint into the store, at start and after a new one was installed. A connection of its
 * own, so that any thread may do it. */
#include "controller/storage/load.h"

#include "controller/storage/storage_int.h"

struct loader {
    const struct codec *codec;
    struct store *store;
    struct arena arena;
    uint64_t n_rows;
};

static int load_row(void *ctx, uint8_t kind, uint32_t slot, struct str bytes, struct err *err)
{
    struct loader *l = ctx;
    void *row;
    int rv = codec_decode_row(l->codec, (enum kind)kind, bytes, &l->arena, &row, err);
    if (rv == 0) {
        rv = store_load_row(l->store, (enum kind)kind, slot, row, err);
    }
    if (rv != 0) {
        return err_wrap(err, rv, "table %u, slot %u", kind, slot);
    }
    arena_clear(&l->arena);
    l->n_rows++;
    return 0;
}

static int load_all(sqlite3 *sql, struct loader *l, struct err *err)
{
    struct storage_point point;
    uint64_t rows_hash;
    int rv = db_exec(sql, "BEGIN", err); /* One state for the point and all tables. */
    if (rv == 0) {
        rv = db_check_format(sql, err);
    }
    if (rv == 0) {
        rv = db_get_point(sql, &point, &rows_hash, err);
    }
    if (rv == 0) {
        rv = db_each_row(sql, load_row, l, err);
    }
    if (rv == 0) {
        rv = store_load_done(l->store, err);
    }
    if (rv == 0 && l->n_rows > 0) {
        const struct meta *meta = store_meta(l->store);
        if (meta->revision != point.revision || meta->digest != point.digest) {
            rv = err_set(err, ERR_CORRUPT, "revision and digest differ from what was recorded");
        }
    }
    return rv;
}

int load_store(sqlite3 *sql, const struct codec *codec, struct store *store, const struct mem *mem,
               struct err *err)
{
    struct loader l = {.codec = codec, .store = store};
    int rv;
    arena_init(&l.arena, mem);
    rv = load_all(sql, &l, err);
    arena_close(&l.arena);
    return rv;
}

int storage_load(struct storage *s, struct store *store, const struct mem *mem, struct err *err)
{
    sqlite3 *sql;
    int rv = db_connect(s->path, SQLITE_OPEN_READWRITE, &sql, err);
    if (rv != 0) {
        return rv;
    }
    rv = load_store(sql, s->options.codec, store, mem, err);
    (void)sqlite3_close(sql);
    return rv == 0 ? 0 : err_wrap(err, rv, "%s", s->path);
}
