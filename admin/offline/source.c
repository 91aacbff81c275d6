#include "admin/offline/source.h"

#include "admin/offline/place.h"
#include "common/loop/sysmem.h"
#include "controller/raftio/logfile.h"

#include <inttypes.h>
#include <raft.h>
#include <string.h>

void source_init(struct source *s)
{
    memset(s, 0, sizeof *s);
    changes_init(&s->changes, sysmem());
    arena_init(&s->arena, sysmem());
    s->store = store_open(sysmem());
}

void source_close(struct source *s)
{
    cache_close(&s->entries);
    changes_close(&s->changes);
    arena_close(&s->arena);
    store_close(s->store);
    codec_close(s->codec);
    disk_readonly_close(&s->disk);
}

static int open_codec(struct source *s, struct err *err)
{
    return s->codec != NULL ? 0 : codec_open(sysmem(), &s->codec, err);
}

int source_load(struct source *s, struct image *image, struct err *err)
{
    uint64_t hash;
    int rv = open_codec(s, err);
    if (rv == 0) {
        rv = image_load(image, s->codec, s->store, sysmem(), err);
    }
    if (rv == 0) {
        rv = image_point(image, &s->at, &hash, err);
    }
    s->checkpoint = s->at.index;
    return rv;
}

int source_load_dir(struct source *s, const char *dir, bool from_start, struct err *err)
{
    char path[PLACE_PATH_MAX];
    struct image *image = NULL;
    int rv;
    if (from_start) {
        return open_codec(s, err);
    }
    rv = place_checkpoint(dir, path, err);
    if (rv == 0) {
        rv = image_open(path, &image, err);
    }
    if (rv == 0) {
        rv = source_load(s, image, err);
    }
    image_close(image);
    return rv;
}

int source_read_log(struct source *s, const char *dir, struct err *err)
{
    static const struct logfile_settings settings;
    char path[PLACE_PATH_MAX];
    struct logfile *log = NULL;
    int rv = place_log(dir, path, err);
    if (rv == 0) {
        rv = disk_readonly_open(path, &s->disk, err);
    }
    if (rv == 0) {
        rv = logfile_open(&s->disk, sysmem(), &settings, &log, &s->entries, err);
    }
    logfile_close(log);
    return rv != 0 ? err_wrap(err, rv, "%s", dir) : 0;
}

int source_check(const struct source *s, struct err *err)
{
    const struct cache_entry *e = cache_get(&s->entries, s->at.index);
    if (s->entries.first > s->at.index + 1) {
        return err_set(err, ERR_CONFLICT,
                       "the state is that after entry %" PRIu64 ", the log begins with %" PRIu64,
                       s->at.index, s->entries.first);
    }
    if (e != NULL && s->at.index > 0 && e->term != s->at.term) {
        return err_set(err, ERR_CONFLICT,
                       "entry %" PRIu64 " is of term %" PRIu64 " in the log, of term %" PRIu64
                       " in the state",
                       s->at.index, e->term, s->at.term);
    }
    return 0;
}

bool source_next(struct source *s, const struct cache_entry **ret_entry, struct command **ret,
                 uint32_t *ret_n, struct err *err)
{
    const struct cache_entry *e = cache_get(&s->entries, s->at.index + 1);
    *ret_n = 0;
    *ret_entry = e;
    if (e == NULL) {
        return false;
    }
    arena_clear(&s->arena);
    if (e->type == RAFT_COMMAND &&
        codec_decode_batch(s->codec, str_make((const char *)e->bytes, e->len), &s->arena, ret,
                           ret_n, err) != 0) {
        (void)err_wrap(err, err->code, "entry %" PRIu64, s->at.index + 1);
    }
    return true;
}

int source_apply(struct source *s, const struct command *cmd, struct err *err)
{
    changes_clear(&s->changes);
    memset(&s->result, 0, sizeof s->result);
    store_apply(s->store, cmd, &s->changes, &s->result);
    return cmd->kind == CMD_DIGEST && s->result.reject != REJECT_NONE
               ? err_set(err, ERR_CORRUPT, "entry %" PRIu64 ": %s", s->at.index + 1, s->result.text)
               : 0;
}

void source_done(struct source *s, const struct cache_entry *entry)
{
    const struct meta *meta = store_meta(s->store);
    s->at.index++;
    s->at.term = entry->term;
    s->at.revision = meta->revision;
    s->at.digest = meta->digest;
}

int source_apply_to(struct source *s, uint64_t index, struct err *err)
{
    struct err why = {0};
    const struct cache_entry *entry;
    struct command *commands = NULL;
    uint32_t n;
    while (s->at.index < index && source_next(s, &entry, &commands, &n, &why)) {
        int rv = why.code;
        for (uint32_t i = 0; rv == 0 && i < n; i++) {
            rv = source_apply(s, &commands[i], &why);
        }
        if (rv != 0) {
            return err_set(err, rv, "%s", why.text);
        }
        source_done(s, entry);
    }
    return 0;
}
