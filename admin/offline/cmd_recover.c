/* A control plane from its last survivor. Everything in its log is kept, also what nobody knows to
 * have had a majority: it may have been acknowledged, and what was not may happen anyhow. */
#include "admin/cli.h"
#include "admin/offline/source.h"
#include "admin/offline/target.h"
#include "common/base/str.h"
#include "common/loop/sysmem.h"
#include "controller/raft/conf.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/logread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_LEN 4200

struct recovery {
    const char *dir;
    char log[PATH_LEN];
    uint64_t id;
    struct source source;
    struct logread_summary log_sum;
    uint64_t vote_term; /* Of the latest election it took part in. */
    struct membership old;
    struct target_members members;
    int lock_log;
};

/* --- the survivor's files -------------------------------------------------------------------- */

static int lock(const char *path, int flags, int *ret_fd, struct err *err)
{
    *ret_fd = open(path, flags | O_CLOEXEC);
    if (*ret_fd < 0) {
        return errno == ENOENT ? 0 : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (flock(*ret_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(err, ERR_BUSY, "%s is in use: stop the controller first", path);
    }
    return 0;
}

/* A controller needs both locks; holding that of the log keeps it from starting meanwhile. The
 * other one is free again before the checkpoint is read, which looks there whether it is in use. */
static int lock_all(struct recovery *r, struct err *err)
{
    char path[PATH_LEN];
    int fd = -1;
    int rv = lock(r->log, O_RDONLY | O_DIRECTORY, &r->lock_log, err);
    (void)snprintf(path, sizeof path, "%s/state/lock", r->dir);
    if (rv == 0) {
        rv = lock(path, O_RDONLY, &fd, err);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rv;
}

/* Term, vote and members, checked against each other as a controller does at its start. */
static int read_durable(struct recovery *r, struct err *err)
{
    static const struct conf_member nobody = {1, "-"};
    struct durable_settings set = {
        .id = r->id,
        .members = &nobody,
        .n_members = 1,
        .incarnation = 1,
        .checkpoint_index = r->source.at.index,
        .checkpoint_term = r->source.at.term,
    };
    const struct replica_boot *boot;
    struct disk disk = {0};
    struct durable *d = NULL;
    int rv = disk_readonly_open(r->log, &disk, err);
    if (rv == 0) {
        rv = durable_open(&disk, sysmem(), &set, &d, err);
    }
    if (rv == 0) {
        boot = durable_boot(d);
        r->vote_term = boot->term;
        for (size_t i = boot->n_entries; i-- > 0;) {
            if (boot->entries[i].type == RAFT_CHANGE) {
                rv = conf_read(boot->entries[i].bytes, boot->entries[i].len, &r->old, err);
                break;
            }
        }
        if (rv == 0 && r->old.n == 0 && boot->snapshot.conf_len > 0) {
            rv = conf_read(boot->snapshot.conf, boot->snapshot.conf_len, &r->old, err);
        }
    }
    durable_close(d);
    disk_readonly_close(&disk);
    return rv;
}

static int read_all(struct recovery *r, struct err *err)
{
    static const struct logread_events nothing;
    struct disk disk = {0};
    int rv = source_load_dir(&r->source, r->dir, false, err);
    if (rv == 0) {
        rv = read_durable(r, err);
    }
    if (rv == 0) {
        rv = disk_readonly_open(r->log, &disk, err);
    }
    if (rv == 0) {
        rv = logread(&disk, sysmem(), &nothing, NULL, &r->log_sum, err);
    }
    disk_readonly_close(&disk);
    if (rv == 0) {
        rv = source_read_log(&r->source, r->dir, err);
    }
    if (rv == 0) {
        rv = source_check(&r->source, err);
    }
    return rv == 0 ? source_apply_to(&r->source, UINT64_MAX, err) : rv;
}

/* --- the new one ----------------------------------------------------------------------------- */

/* Without --members: this controller alone, with the addresses it has. */
static int choose_members(const struct args *args, struct recovery *r, struct err *err)
{
    const char *text = args_get(args, "members", NULL);
    const struct conf_server *me = membership_find(&r->old, r->id);
    char line[TARGET_LINE_MAX];
    struct conf_address a;
    if (text != NULL) {
        return target_members_read(text, &r->members, err);
    }
    if (me == NULL) {
        return err_set(err, ERR_INVALID, "controller %" PRIu64 " is no member: give --members",
                       r->id);
    }
    a = conf_address_read(me->address);
    (void)snprintf(line, sizeof line, "%" PRIu64 "=%.*s/%.*s", r->id, STR_ARG(a.peer),
                   STR_ARG(a.api));
    return target_members_read(line, &r->members, err);
}

static void explain(const struct recovery *r, uint64_t epoch)
{
    const struct source *s = &r->source;
    const struct meta *meta = store_meta(s->store);
    (void)printf("controller %" PRIu64 " in %s: checkpoint to entry %" PRIu64
                 ", log to entry %" PRIu64 " of term %" PRIu64 ", revision %" PRIu64 "\n",
                 r->id, r->dir, s->checkpoint, s->at.index, s->at.term, meta->revision);
    (void)printf("kept:  entries to %" PRIu64 "\n", s->at.index);
    if (s->at.index > s->checkpoint) {
        (void)printf("       of those from %" PRIu64
                     " on it is not known here whether a majority had "
                     "them\n",
                     s->checkpoint + 1);
    }
    (void)printf(
        "lost:  entries from %" PRIu64 " on, if other controllers had any%s\n", s->at.index + 1,
        r->vote_term > s->at.term ? ": likely, for there was an election after the last entry here"
                                  : "");
    if (r->log_sum.synced > s->at.index) {
        (void)printf("lost:  the watermark says that entries to %" PRIu64
                     " were on this disk once\n",
                     r->log_sum.synced);
    }
    (void)printf("then:  epoch %" PRIu64 " instead of %" PRIu64 " with %u controller%s:", epoch,
                 meta->epoch, r->members.n, r->members.n == 1 ? "" : "s");
    for (unsigned i = 0; i < r->members.n; i++) {
        (void)printf(" %" PRIu64 "=%s", r->members.v[i].id, r->members.v[i].address);
    }
    if (r->members.n > 1) {
        (void)printf(
            "\n       of these only %" PRIu64
            " has the state and votes; start the others with empty directories and --join, "
            "then member promote",
            r->id);
    }
    (void)printf("\n       the old directory stays as %s.before-epoch-%" PRIu64
                 "; the other controllers must not run any more\n",
                 r->dir, epoch);
}

static int swap_dirs(const struct recovery *r, const char *fresh, uint64_t epoch, struct err *err)
{
    char old[PATH_LEN];
    (void)snprintf(old, sizeof old, "%s.before-epoch-%" PRIu64, r->dir, epoch);
    if (access(old, F_OK) == 0) {
        return err_set(err, ERR_EXISTS, "%s is there already", old);
    }
    if (rename(r->dir, old) != 0) {
        return err_set(err, ERR_IO, "%s: %s", r->dir, strerror(errno));
    }
    if (rename(fresh, r->dir) != 0) {
        int why = errno;
        bool back = rename(old, r->dir) == 0;
        return err_set(err, ERR_IO, "%s: %s; what was there is %s", fresh, strerror(why),
                       back ? "there again" : old);
    }
    return target_sync_parent(r->dir, err);
}

static int make(struct cli *cli, struct recovery *r, uint64_t epoch, bool fence, struct err *err)
{
    char fresh[PATH_LEN];
    struct storage_point at = r->source.at;
    int rv;
    (void)snprintf(fresh, sizeof fresh, "%s.recovered", r->dir);
    at.term = r->vote_term > at.term ? r->vote_term : at.term;
    rv = target_begin_epoch(r->source.store, epoch, fence, &at, err);
    if (rv == 0) {
        rv = target_write(fresh, r->id, &r->members, true, r->source.codec, r->source.store, &at,
                          err);
    }
    if (rv == 0) {
        rv = swap_dirs(r, fresh, epoch, err);
    }
    if (rv == 0) {
        say(cli, "done: epoch %" PRIu64 ", revision %" PRIu64 ", digest %016" PRIx64, epoch,
            at.revision, at.digest);
    }
    if (rv == 0 && fence) {
        say(cli, "%s", TARGET_FENCE_ADVICE);
    }
    return rv;
}

static int recover(struct cli *cli, const struct args *args, struct recovery *r, int64_t epoch)
{
    struct err err = {0};
    int rv = lock_all(r, &err);
    if (rv == 0) {
        rv = read_all(r, &err);
    }
    if (rv == 0) {
        rv = choose_members(args, r, &err);
    }
    if (rv == 0) {
        epoch = epoch != 0 ? epoch : (int64_t)store_meta(r->source.store)->epoch + 1;
        explain(r, (uint64_t)epoch);
        if (!args_has(args, "yes")) {
            complain("nothing was changed; say --yes to do it");
            return EXIT_USAGE;
        }
        rv = make(cli, r, (uint64_t)epoch, !args_has(args, "no-fence"), &err);
    }
    if (rv != 0) {
        complain("%s", err.text);
    }
    return rv == 0 ? EXIT_OK : rv == ERR_CORRUPT || rv == ERR_IO ? EXIT_FAILED : EXIT_USAGE;
}

static int run_recover(struct cli *cli, const struct args *args)
{
    struct recovery r = {.lock_log = -1};
    int64_t id = 0;
    int64_t epoch = 0;
    int rv = args_number(args, "id", 1, CONF_ID_MAX, &id);
    if (rv == EXIT_OK) {
        rv = args_number(args, "epoch", 1, INT64_MAX, &epoch);
    }
    r.dir = args_get(args, "data-dir", NULL);
    if (rv == EXIT_OK && (id == 0 || r.dir == NULL)) {
        complain("--id and --data-dir are needed");
        rv = EXIT_USAGE;
    }
    if (rv != EXIT_OK) {
        return rv;
    }
    r.id = (uint64_t)id;
    (void)snprintf(r.log, sizeof r.log, "%s/log", r.dir);
    source_init(&r.source);
    rv = recover(cli, args, &r, epoch);
    source_close(&r.source);
    if (r.lock_log >= 0) {
        (void)close(r.lock_log);
    }
    return rv;
}

static const struct option_def options[] = {
    {"id", "N", "Which controller this is.", false},
    {"data-dir", "DIR", "Its data directory; it must be stopped.", false},
    {"members", "ID=PEER/API,...",
     "The controllers from now on (this one alone); the others as spares.", false},
    {"epoch", "N", "The new epoch (the present one and 1).", false},
    TARGET_FENCE_OPTION,
    {"yes", NULL, "Do it. Without: say what would be done.", false},
    {NULL, NULL, NULL, false},
};

const struct command_def recover_commands[] = {
    {"recover", "", "--id N --data-dir DIR [--yes]", 0, 0,
     "Go on with one survivor when the majority is lost, in a new epoch.", options, run_recover},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
