/* Making, looking at and checking backups. */
#include "admin/cli.h"
#include "admin/offline/backup.h"
#include "admin/offline/describe.h"
#include "admin/offline/secret.h"
#include "admin/offline/target.h"
#include "common/base/buf.h"
#include "common/loop/sysmem.h"
#include "controller/storage/image.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- create ---------------------------------------------------------------------------------- */

struct creation {
    FILE *file;
    const struct backup_secret *secret;
    struct backup_writer *writer;
    struct backup_head head;
    bool complete;
};

static int begin(struct creation *c, const Ecs__Admin__V1__BackupHead *h)
{
    struct err err = {0};
    c->head.epoch = h->epoch;
    c->head.index = h->index;
    c->head.term = h->term;
    c->head.revision = h->revision;
    c->head.digest = h->digest;
    c->head.size = h->size;
    c->head.created_at = h->created_at_ms;
    if (h->cluster_id.len == 16) {
        c->head.cluster_id =
            (struct id){get_u64(h->cluster_id.data), get_u64(h->cluster_id.data + 8)};
    }
    if (backup_writer_open(c->file, &c->head, c->secret, &c->writer, &err) != 0) {
        complain("%s", err.text);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

static int on_piece(void *data, const ProtobufCMessage *message)
{
    const Ecs__Admin__V1__BackupResponse *m =
        (const Ecs__Admin__V1__BackupResponse *)(const void *)message;
    struct creation *c = data;
    struct err err = {0};
    if (m->head != NULL && c->writer == NULL) {
        return begin(c, m->head);
    }
    if (c->writer == NULL) {
        complain("the controller did not say what the backup is of: it is too old");
        return EXIT_FAILED;
    }
    if (m->data.len > 0 && backup_writer_add(c->writer, m->data.data, m->data.len, &err) != 0) {
        complain("%s", err.text);
        return EXIT_FAILED;
    }
    c->complete = m->sha256 != NULL;
    return EXIT_OK;
}

static int fill(struct cli *cli, struct creation *c, char sha[BACKUP_SHA_HEX + 1])
{
    struct err err = {0};
    int rv = call_stream(cli, "admin.Backup", NULL, on_piece, NULL, c);
    if (rv == EXIT_OK && !c->complete) {
        complain("the stream ended before the backup was complete");
        return EXIT_FAILED;
    }
    if (rv == EXIT_OK && backup_writer_finish(c->writer, sha, &err) != 0) {
        complain("%s", err.text);
        return EXIT_FAILED;
    }
    return rv;
}

/* Written under another name first, so that a file of the wanted name is a whole backup. */
static int create(struct cli *cli, const char *path, const struct backup_secret *secret)
{
    char partial[4096];
    char sha[BACKUP_SHA_HEX + 1];
    struct creation c = {.secret = secret};
    struct err err = {0};
    int rv;
    if (snprintf(partial, sizeof partial, "%s.part", path) >= (int)sizeof partial) {
        complain("the file name is too long");
        return EXIT_USAGE;
    }
    c.file = fopen(partial, "wbxe");
    if (c.file == NULL) {
        complain("%s: %s", partial, strerror(errno));
        return EXIT_FAILED;
    }
    rv = fchmod(fileno(c.file), 0600) == 0 ? fill(cli, &c, sha) : EXIT_FAILED;
    backup_writer_close(c.writer);
    if (rv == EXIT_OK && (fflush(c.file) != 0 || fsync(fileno(c.file)) != 0)) {
        complain("%s: %s", partial, strerror(errno));
        rv = EXIT_FAILED;
    }
    (void)fclose(c.file);
    if (rv == EXIT_OK && rename(partial, path) != 0) {
        complain("%s: %s", path, strerror(errno));
        rv = EXIT_FAILED;
    } else if (rv == EXIT_OK && target_sync_parent(path, &err) != 0) {
        complain("%s", err.text);
        return EXIT_FAILED;
    }
    if (rv != EXIT_OK) {
        (void)unlink(partial);
        return rv;
    }
    say(cli, "%" PRIu64 " bytes, epoch %" PRIu64 ", revision %" PRIu64 ", sha256 %s", c.head.size,
        c.head.epoch, c.head.revision, sha);
    return EXIT_OK;
}

static int run_create(struct cli *cli, const struct args *args)
{
    struct backup_secret secret;
    int rv = secret_for_writing(args, &secret);
    if (rv == EXIT_OK) {
        rv = create(cli, args->positional[0], &secret);
    }
    backup_secret_wipe(&secret);
    return rv;
}

/* --- inspect --------------------------------------------------------------------------------- */

static const struct column head_columns[] = {
    {"CLUSTER ID", "clusterId", NULL, false}, {"EPOCH", "epoch", NULL, false},
    {"INDEX", "index", NULL, false},          {"TERM", "term", NULL, false},
    {"REVISION", "revision", NULL, false},    {"DIGEST", "digest", NULL, false},
    {"CREATED", "created", NULL, false},      {"BYTES", "bytes", NULL, false},
    {"ENCRYPTED", "encrypted", NULL, false},  {"WRITTEN BY", "version", NULL, false},
};

static json_t *head_json(const struct backup_head *h)
{
    static const char *const ways[] = {"no", "key file", "passphrase"};
    char id[ID_HEX_LEN + 1];
    char digest[20];
    char created[DESCRIBE_TIME_LEN];
    id_hex(h->cluster_id, id);
    (void)snprintf(digest, sizeof digest, "%016" PRIx64, h->digest);
    describe_time(h->created_at, created);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:s, s:s}", "clusterId", id, "epoch",
                     (json_int_t)h->epoch, "index", (json_int_t)h->index, "term",
                     (json_int_t)h->term, "revision", (json_int_t)h->revision, "digest", digest,
                     "created", created, "bytes", (json_int_t)h->size, "encrypted", ways[h->key],
                     "version", h->version);
}

static int run_inspect(struct cli *cli, const struct args *args)
{
    struct backup_head head;
    json_t *o;
    int rv = secret_open_backup(args, args->positional[0], &head, NULL);
    if (rv == EXIT_OK) {
        o = head_json(&head);
        render_object(cli, o, head_columns, sizeof head_columns / sizeof head_columns[0]);
        json_decref(o);
    }
    return rv;
}

/* --- verify ---------------------------------------------------------------------------------- */

/* Does the head speak of these rows? */
static int compare(const struct backup_head *h, const struct storage_point *p,
                   const struct store *store, struct err *err)
{
    const struct meta *m = store_meta(store);
    if (h->index != p->index || h->term != p->term || h->revision != p->revision ||
        h->digest != p->digest) {
        return err_set(err, ERR_CORRUPT,
                       "the head speaks of revision %" PRIu64 " at entry %" PRIu64
                       ", the rows of %" PRIu64 " at entry %" PRIu64,
                       h->revision, h->index, p->revision, p->index);
    }
    if (!id_is_none(m->cluster_id) &&
        (!id_eq(m->cluster_id, h->cluster_id) || m->epoch != h->epoch)) {
        return err_set(err, ERR_CORRUPT, "head and rows have different cluster ids or epochs");
    }
    return 0;
}

/* Open the rows as a controller would: checksums, references, digest, derived tables. */
static int check_rows(const struct backup_head *h, const struct backup_content *c,
                      uint32_t ret_counts[KIND_N], struct err *err)
{
    struct storage_point point;
    struct image *image = NULL;
    struct codec *codec = NULL;
    struct store *store = store_open(sysmem());
    uint64_t hash;
    int rv = codec_open(sysmem(), &codec, err);
    if (rv == 0) {
        rv = image_open_bytes(c->bytes, c->n, &image, err);
    }
    if (rv == 0) {
        rv = image_load(image, codec, store, sysmem(), err);
    }
    if (rv == 0) {
        rv = image_point(image, &point, &hash, err);
    }
    if (rv == 0 && hash == 0) {
        rv = err_set(err, ERR_CORRUPT, "the copy has no hash over its rows");
    }
    if (rv == 0) {
        rv = compare(h, &point, store, err);
    }
    if (rv == 0) {
        rv = store_check(store, err);
    }
    for (int kind = 1; rv == 0 && kind < KIND_N; kind++) {
        ret_counts[kind] = store_count(store, (enum kind)kind);
    }
    image_close(image);
    store_close(store);
    codec_close(codec);
    return rv;
}

static int run_verify(struct cli *cli, const struct args *args)
{
    struct backup_head head;
    struct backup_content content = {0};
    uint32_t counts[KIND_N] = {0};
    struct err err = {0};
    int rv = secret_open_backup(args, args->positional[0], &head, &content);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (check_rows(&head, &content, counts, &err) != 0) {
        complain("%s: %s", args->positional[0], err.text);
        rv = EXIT_FAILED;
    } else if (cli->output == OUTPUT_TABLE) {
        say(cli,
            "whole: epoch %" PRIu64 ", revision %" PRIu64 ", digest %016" PRIx64
            ", sha256 %s; %u clusters, %u services, %u nodes, %u tasks",
            head.epoch, head.revision, head.digest, content.sha256, counts[KIND_CLUSTER],
            counts[KIND_SERVICE], counts[KIND_NODE], counts[KIND_TASK]);
    } else {
        json_t *o = head_json(&head);
        (void)json_object_set_new(o, "sha256", json_string(content.sha256));
        (void)json_object_set_new(o, "tasks", json_integer(counts[KIND_TASK]));
        render_object(cli, o, NULL, 0);
        json_decref(o);
    }
    backup_content_close(&content);
    return rv;
}

static const struct option_def create_options[] = {
    SECRET_OPTIONS,
    {"plain", NULL, "Do not encrypt: whoever has the file has every secret in it.", false},
    {NULL, NULL, NULL, false},
};

static const struct option_def verify_options[] = {
    SECRET_OPTIONS,
    {NULL, NULL, NULL, false},
};

const struct command_def backup_commands[] = {
    {"backup", "create", "FILE --key-file FILE", 1, 1,
     "Save a consistent, encrypted copy of the whole state.", create_options, run_create},
    {"backup", "inspect", "FILE", 1, 1, "What a backup is of; needs no key.", NULL, run_inspect},
    {"backup", "verify", "FILE --key-file FILE", 1, 1,
     "Decrypt a backup and check everything in it.", verify_options, run_verify},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
