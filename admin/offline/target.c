#include "admin/offline/target.h"

#include "common/loop/sysmem.h"
#include "controller/core/limits.h"
#include "controller/raft/replica.h"
#include "controller/raftio/disk.h"
#include "controller/raftio/durable.h"
#include "controller/storage/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <raft.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN 4200
#define ROW_MAX  (64u << 20)

/* --- members --------------------------------------------------------------------------------- */

static int read_member(struct str text, struct target_members *ret, struct err *err)
{
    char line[CONF_ADDRESS_MAX];
    struct str address;
    struct str id = str_cut(text, '=', &address);
    struct conf_member *m = &ret->v[ret->n];
    struct conf_address a;
    if (ret->n == CONF_MEMBERS_MAX) {
        return err_set(err, ERR_INVALID, "members: more than %u", CONF_MEMBERS_MAX);
    }
    if (!str_u64(id, &m->id) || m->id == 0 || m->id > CONF_ID_MAX ||
        !str_copy(line, sizeof line, address)) {
        return err_set(err, ERR_INVALID, "members: '%.*s' is not ID=PEER/API", STR_ARG(text));
    }
    a = conf_address_read(line);
    a.incarnation = 0;
    if (a.peer.n == 0 || a.api.n == 0) {
        return err_set(err, ERR_INVALID, "members: '%.*s' is not ID=PEER/API", STR_ARG(text));
    }
    m->address = ret->addresses[ret->n];
    ret->n++;
    return conf_address_write(&a, ret->addresses[ret->n - 1], err);
}

int target_members_read(const char *text, struct target_members *ret, struct err *err)
{
    struct str rest = str_of(text);
    int rv = 0;
    ret->n = 0;
    while (rv == 0 && rest.n > 0) {
        rv = read_member(str_cut(rest, ',', &rest), ret, err);
    }
    if (rv == 0 && ret->n == 0) {
        rv = err_set(err, ERR_INVALID, "members: none");
    }
    return rv;
}

/* --- the epoch ------------------------------------------------------------------------------- */

int target_begin_epoch(struct store *store, uint64_t epoch, bool fence, struct storage_point *at,
                       struct err *err)
{
    const struct meta *meta = store_meta(store);
    struct command cmd = {.kind = CMD_EPOCH, .at_ms = meta->now, .seed = meta->digest ^ epoch};
    struct changes changes;
    struct result result;
    cmd.u.epoch.epoch = epoch;
    cmd.u.epoch.fence = fence;
    changes_init(&changes, sysmem());
    store_apply(store, &cmd, &changes, &result);
    changes_close(&changes);
    if (result.reject != REJECT_NONE) {
        return err_set(err, ERR_CONFLICT, "%s", result.text);
    }
    at->index += LIMIT_EPOCH_REVISIONS;
    at->term++;
    at->revision = meta->revision;
    at->digest = meta->digest;
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

static int make_dir(const char *path, struct err *err)
{
    return mkdir(path, 0700) == 0 ? 0
                                  : err_set(err, errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s: %s",
                                            path, strerror(errno));
}

static int put_rows(struct storage *s, const struct codec *codec, const struct store *store,
                    struct err *err)
{
    struct buf row;
    int rv = 0;
    buf_init(&row, sysmem(), ROW_MAX);
    for (int kind = 1; rv == 0 && kind < KIND_N; kind++) {
        for (uint32_t slot = 0; rv == 0 && slot < store_slots(store, (enum kind)kind); slot++) {
            const void *p = store_row(store, (enum kind)kind, slot);
            if (p == NULL) {
                continue;
            }
            buf_clear(&row);
            rv = codec_encode_row(codec, (enum kind)kind, p, &row, err);
            if (rv == 0) {
                storage_row(s, (uint8_t)kind, slot, row.data, row.len);
            }
        }
    }
    buf_close(&row);
    return rv;
}

static int write_state(const char *dir, const struct codec *codec, const struct store *store,
                       const struct storage_point *at, struct err *err)
{
    char path[PATH_LEN + 8];
    struct storage_options options = {.codec = codec, .dir = path};
    struct storage_point empty;
    struct storage *s = NULL;
    int rv;
    (void)snprintf(path, sizeof path, "%s/state", dir);
    rv = storage_open(&options, &s, &empty, err);
    if (rv != 0) {
        return rv;
    }
    rv = put_rows(s, codec, store, err);
    if (rv == 0) {
        storage_commit(s, at);
        return storage_close(s, err);
    }
    (void)storage_close(s, NULL);
    return rv;
}

/* All members vote, or only one, and the others are spares. */
static int encode_members(const struct target_members *members, uint64_t only,
                          struct raft_buffer *ret, struct err *err)
{
    struct membership all;
    struct raft_buffer conf = {0};
    int rv = conf_encode(members->v, members->n, &conf, err);
    if (rv != 0 || only == 0) {
        *ret = conf;
        return rv;
    }
    rv = conf_read(conf.base, conf.len, &all, err);
    raft_free(conf.base);
    for (unsigned i = 0; rv == 0 && i < all.n; i++) {
        all.member[i].role = all.member[i].id == only ? RAFT_VOTER : RAFT_SPARE;
    }
    return rv == 0 ? conf_write(&all, ret, err) : rv;
}

static int write_log(const char *dir, uint64_t id, const struct target_members *members, bool alone,
                     const struct storage_point *at, struct err *err)
{
    char path[PATH_LEN + 8];
    struct replica_snapshot snap = {.index = at->index, .term = at->term, .conf_index = at->index};
    struct raft_buffer conf = {0};
    struct disk disk = {0};
    uint64_t incarnation = 0;
    int rv;
    (void)snprintf(path, sizeof path, "%s/log", dir);
    if (getrandom(&incarnation, sizeof incarnation, 0) != (ssize_t)sizeof incarnation) {
        return err_set(err, ERR_IO, "no random numbers");
    }
    rv = encode_members(members, alone ? id : 0, &conf, err);
    if (rv == 0) {
        snap.conf = conf.base;
        snap.conf_len = conf.len;
        rv = disk_posix_open(path, &disk, err);
    }
    if (rv == 0) {
        rv = durable_create(&disk, id, at->term, incarnation | 1, &snap, err);
    }
    disk_posix_close(&disk);
    raft_free(conf.base);
    return rv;
}

int target_sync_parent(const char *dir, struct err *err)
{
    char path[PATH_LEN];
    char *slash;
    int fd;
    int rv = 0;
    (void)snprintf(path, sizeof path, "%s", dir);
    slash = strrchr(path, '/');
    if (slash == path) {
        slash[1] = '\0';
    } else if (slash != NULL) {
        *slash = '\0';
    } else {
        (void)snprintf(path, sizeof path, ".");
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        rv = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rv;
}

int target_write(const char *dir, uint64_t id, const struct target_members *members, bool alone,
                 const struct codec *codec, const struct store *store,
                 const struct storage_point *at, struct err *err)
{
    const struct meta *meta = store_meta(store);
    const struct identity identity = {meta->cluster_id, meta->epoch};
    char fresh[PATH_LEN];
    struct stat st;
    bool found = false;
    int rv;
    for (unsigned i = 0; i < members->n; i++) {
        found = found || members->v[i].id == id;
    }
    if (!found) {
        return err_set(err, ERR_INVALID, "controller %" PRIu64 " is not among the members", id);
    }
    if (stat(dir, &st) == 0) {
        return err_set(err, ERR_EXISTS, "%s is there already: nothing is overwritten", dir);
    }
    if (snprintf(fresh, sizeof fresh, "%s.partial", dir) >= PATH_LEN - 16) {
        return err_set(err, ERR_TOOBIG, "%s: name too long", dir);
    }
    rv = make_dir(fresh, err);
    if (rv == 0) {
        rv = write_state(fresh, codec, store, at, err);
    }
    if (rv == 0) {
        rv = write_log(fresh, id, members, alone, at, err);
    }
    if (rv == 0) {
        rv = identity_write(fresh, &identity, err);
    }
    if (rv == 0 && rename(fresh, dir) != 0) {
        rv = err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
    }
    return rv == 0 ? target_sync_parent(dir, err) : rv;
}
