/* A control plane from a backup. */
#include "admin/cli.h"
#include "admin/offline/backup.h"
#include "admin/offline/secret.h"
#include "admin/offline/target.h"
#include "common/base/str.h"
#include "common/loop/sysmem.h"
#include "controller/storage/image.h"

#include <inttypes.h>

struct restoration {
    struct backup_head head;
    struct backup_content content;
    struct codec *codec;
    struct store *store;
    struct storage_point at;
    struct target_members members;
};

static int load(struct restoration *r, struct err *err)
{
    struct image *image = NULL;
    uint64_t hash;
    int rv = codec_open(sysmem(), &r->codec, err);
    r->store = store_open(sysmem());
    if (rv == 0) {
        rv = image_open_bytes(r->content.bytes, r->content.n, &image, err);
    }
    if (rv == 0) {
        rv = image_load(image, r->codec, r->store, sysmem(), err);
    }
    if (rv == 0) {
        rv = image_point(image, &r->at, &hash, err);
    }
    image_close(image);
    return rv;
}

static int restore(struct cli *cli, const struct args *args, struct restoration *r, uint64_t id,
                   uint64_t epoch)
{
    const char *dir = args_get(args, "data-dir", NULL);
    bool fence = !args_has(args, "no-fence");
    struct err err = {0};
    int rv = load(r, &err);
    if (rv == 0) {
        rv = target_begin_epoch(r->store, epoch, fence, &r->at, &err);
    }
    if (rv == 0) {
        rv = target_write(dir, id, &r->members, false, r->codec, r->store, &r->at, &err);
    }
    if (rv != 0) {
        complain("%s", err.text);
        return rv == ERR_INVALID || rv == ERR_EXISTS || rv == ERR_CONFLICT ? EXIT_USAGE
                                                                           : EXIT_FAILED;
    }
    say(cli,
        "%s: controller %" PRIu64 " of %u, epoch %" PRIu64 ", revision %" PRIu64
        ", digest %016" PRIx64,
        dir, id, r->members.n, epoch, r->at.revision, r->at.digest);
    say(cli, "%u clusters, %u services, %u nodes, %u tasks of the backup of revision %" PRIu64,
        store_count(r->store, KIND_CLUSTER), store_count(r->store, KIND_SERVICE),
        store_count(r->store, KIND_NODE), store_count(r->store, KIND_TASK), r->head.revision);
    if (fence) {
        say(cli, "%s", TARGET_FENCE_ADVICE);
    }
    return EXIT_OK;
}

static int read_options(const struct args *args, struct restoration *r, int64_t *id)
{
    const char *members = args_get(args, "members", NULL);
    struct err err = {0};
    int rv = args_number(args, "id", 1, CONF_ID_MAX, id);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (*id == 0 || members == NULL || args_get(args, "data-dir", NULL) == NULL) {
        complain("--id, --data-dir and --members are needed");
        return EXIT_USAGE;
    }
    if (target_members_read(members, &r->members, &err) != 0) {
        complain("--%s", err.text);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* 0: not given. A backup from before there were epochs counts as the first. */
static uint64_t choose_epoch(uint64_t epoch, const struct backup_head *head)
{
    return epoch != 0 ? epoch : head->epoch == 0 ? 2 : head->epoch + 1;
}

static int run_restore(struct cli *cli, const struct args *args)
{
    struct restoration r = {0};
    int64_t id = 0;
    int64_t epoch = 0;
    int rv = read_options(args, &r, &id);
    if (rv == EXIT_OK) {
        rv = args_number(args, "epoch", 1, INT64_MAX, &epoch);
    }
    if (rv == EXIT_OK) {
        rv = secret_open_backup(args, args->positional[0], &r.head, &r.content);
    }
    if (rv == EXIT_OK) {
        rv = restore(cli, args, &r, (uint64_t)id, choose_epoch((uint64_t)epoch, &r.head));
    }
    store_close(r.store);
    codec_close(r.codec);
    backup_content_close(&r.content);
    return rv;
}

static const struct option_def options[] = {
    {"id", "N", "Which controller this is.", false},
    {"data-dir", "DIR", "Its data directory; must not be there yet.", false},
    {"members", "ID=PEER/API,...", "All controllers, as for ecs-controller.", false},
    {"epoch", "N", "The new epoch (that of the backup and 1); the same for all.", false},
    TARGET_FENCE_OPTION,
    SECRET_OPTIONS,
    {NULL, NULL, NULL, false},
};

const struct command_def restore_commands[] = {
    {"restore", "", "FILE --id N --data-dir DIR --members LIST", 1, 1,
     "Make a controller's data directory from a backup, in a new epoch.", options, run_restore},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
