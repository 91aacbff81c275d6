/* Logs and checkpoints of every release, kept in tests/replay, lead to the digest that was recorded
 * with them.
 *
 * NAME.log is a sequence of entry frames; NAME.expect is one line: revision, digest, and the number
 * of rows of each table; NAME.db is the checkpoint of that state, as one controller sends it to
 * another. ECS_REPLAY_WRITE=NAME makes a new set with the code of today (make golden); that is done
 * once a release, never to make this test pass. */
#include "common/base/prng.h"
#include "controller/codec/object.h"
#include "controller/core/schema.h"
#include "controller/core/store.h"
#include "controller/storage/checkpoint.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/storage/scratch.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FOLDER     "tests/replay"
#define PATH_LEN   300
#define LOG_MAX    (1u << 24)
#define EXPECT_MAX 400

struct replay {
    struct codec *codec;
    struct store *store;
    struct changes changes;
    struct arena arena;
    struct result result; /* Of the last command. */
    bool seen[CMD_N];     /* Kinds that were carried out. */
};

static void replay_open(struct replay *r)
{
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(codec_open(test_mem(), &r->codec, NULL), 0);
    r->store = store_open(test_mem());
    changes_init(&r->changes, test_mem());
    arena_init(&r->arena, test_mem());
}

static void replay_close(struct replay *r)
{
    codec_close(r->codec);
    store_close(r->store);
    changes_close(&r->changes);
    arena_close(&r->arena);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

static void apply_entry(struct replay *r, struct str entry)
{
    struct command *commands;
    struct err err = {0};
    uint32_t n;
    ck_assert_msg(codec_decode_batch(r->codec, entry, &r->arena, &commands, &n, &err) == 0, "%s",
                  err.text);
    for (uint32_t i = 0; i < n; i++) {
        changes_clear(&r->changes);
        store_apply(r->store, &commands[i], &r->changes, &r->result);
        r->seen[commands[i].kind] |= r->result.reject == REJECT_NONE;
    }
    arena_clear(&r->arena);
}

/* Revision, digest and counts, as NAME.expect has them. */
static void describe(const struct replay *r, char to[EXPECT_MAX])
{
    const struct meta *meta = store_meta(r->store);
    int n = snprintf(to, EXPECT_MAX, "revision %" PRIu64 " digest %016" PRIx64 " rows",
                     meta->revision, meta->digest);
    for (int kind = 1; kind < KIND_N; kind++) {
        if (kind > KIND_META && store_count(r->store, (enum kind)kind) == 0) {
            continue; /* Files from before there was such a table. */
        }
        n += snprintf(to + n, EXPECT_MAX - (size_t)n, " %" PRIu32,
                      store_count(r->store, (enum kind)kind));
    }
    (void)snprintf(to + n, EXPECT_MAX - (size_t)n, "\n");
}

static size_t read_file(const char *path, char *to, size_t max)
{
    FILE *f = fopen(path, "rb");
    size_t n;
    ck_assert_msg(f != NULL, "%s: cannot be read; run from the top of the tree", path);
    n = fread(to, 1, max, f);
    ck_assert_int_eq(fclose(f), 0);
    return n;
}

static bool kinds_seen[CMD_N]; /* In all logs together. */

static void check_expect(const struct replay *r, const char *name)
{
    char path[PATH_LEN];
    char expect[EXPECT_MAX] = {0};
    char got[EXPECT_MAX];
    struct err err = {0};
    (void)snprintf(path, sizeof path, FOLDER "/%s.expect", name);
    (void)read_file(path, expect, sizeof expect - 1);
    describe(r, got);
    ck_assert_msg(strcmp(got, expect) == 0, "%s leads to\n%swanted\n%s", name, got, expect);
    ck_assert_msg(store_check(r->store, &err) == 0, "%s", err.text);
}

static void replay_log(const char *name)
{
    char path[PATH_LEN];
    char *log = malloc(LOG_MAX);
    struct replay r;
    size_t n;
    (void)snprintf(path, sizeof path, FOLDER "/%s.log", name);
    n = read_file(path, log, LOG_MAX);
    replay_open(&r);
    for (size_t at = 0; at < n;) {
        size_t length = CODEC_FRAME_HEADER + ((size_t)get_u32(log + at + 8) + 7) / 8 * 8;
        ck_assert_uint_le(length, n - at);
        apply_entry(&r, str_make(log + at, length));
        at += length;
    }
    check_expect(&r, name);
    for (int kind = 0; kind < CMD_N; kind++) {
        kinds_seen[kind] |= r.seen[kind];
    }
    replay_close(&r);
    free(log);
}

static void open_storage(const struct replay *r, const char *dir, struct storage **ret,
                         struct storage_point *at)
{
    struct storage_options o = {.codec = r->codec, .dir = dir, .interval_ms = 1};
    struct err err = {0};
    ck_assert_msg(storage_open(&o, ret, at, &err) == 0, "%s", err.text);
}

/* A copy is opened: opening writes. */
static void load_checkpoint(const char *name)
{
    char path[PATH_LEN];
    char dir[SCRATCH_LEN];
    char *bytes = malloc(LOG_MAX);
    struct storage_point at;
    struct storage *s;
    struct replay r;
    struct err err = {0};
    size_t n;
    FILE *f;
    scratch_dir(dir);
    (void)snprintf(path, sizeof path, FOLDER "/%s.db", name);
    n = read_file(path, bytes, LOG_MAX);
    (void)snprintf(path, sizeof path, "%s/checkpoint.db", dir);
    f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    replay_open(&r);
    open_storage(&r, dir, &s, &at);
    ck_assert_msg(storage_load(s, r.store, test_mem(), &err) == 0, "%s: %s", name, err.text);
    ck_assert_uint_eq(at.digest, store_meta(r.store)->digest);
    ck_assert_int_eq(storage_close(s, &err), 0);
    check_expect(&r, name);
    replay_close(&r);
    free(bytes);
}

/* Call with the name, without the suffix, of every file that ends with it. Returns how many. */
static unsigned each_file(const char *suffix, void (*cb)(const char *name))
{
    DIR *dir = opendir(FOLDER);
    struct dirent *entry;
    unsigned n = 0;
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct str name = str_of(entry->d_name);
        if (str_ends(name, suffix)) {
            char base[256];
            (void)str_copy(base, sizeof base, str_slice(name, 0, name.n - strlen(suffix)));
            cb(base);
            n++;
        }
    }
    closedir(dir);
    return n;
}

START_TEST(every_log_replays_to_its_digest)
    {
        ck_assert_uint_gt(each_file(".log", replay_log), 1);
        for (int kind = CMD_CLUSTER_CREATE; kind < CMD_N; kind++) {
            bool in_logs = kind != CMD_EPOCH; /* Applied offline only. */
            ck_assert_msg(kinds_seen[kind] || !in_logs,
                          "command %d is carried out in no log: make golden", kind);
        }
    }
END_TEST

START_TEST(every_checkpoint_loads_with_its_digest)
    {
        ck_assert_uint_gt(each_file(".db", load_checkpoint), 0);
    }
END_TEST

/* --- making a log --------------------------------------------------------------------------------
 */

/* Writes commands one entry each, applying them as it goes: later ones refer to earlier results. */
struct writer {
    struct replay r;
    struct buf log;
    struct prng p;
    uint64_t n;
    struct id nodes[4];
    uint64_t sessions[4];
    struct id tasks[200];
    uint32_t n_tasks;
};

static void put(struct writer *w, struct command *cmd)
{
    size_t before = w->log.len;
    cmd->at_ms = 1700000000000 + (int64_t)w->n * 1700;
    cmd->seed = w->n * 0x9e3779b97f4a7c15ull;
    if (w->n % 3 == 0) {
        cmd->caller = STR("admin/somebody");
        cmd->call = STR("SomeOperation");
    }
    w->n++;
    ck_assert_int_eq(codec_encode_batch(w->r.codec, cmd, 1, 1, &w->log, NULL), 0);
    apply_entry(&w->r, str_make((char *)w->log.data + before, w->log.len - before));
}

static void put_clusters(struct writer *w)
{
    struct tag tag = {STR("team"), STR("core")};
    struct command cmd = {.kind = CMD_CLUSTER_CREATE};
    cmd.u.cluster.name = STR("default");
    put(w, &cmd);
    cmd.u.cluster.name = STR("prod");
    cmd.u.cluster.tags = (struct tags){&tag, 1};
    put(w, &cmd);
    cmd.kind = CMD_CLUSTER_UPDATE;
    cmd.u.cluster.has_spec = true;
    cmd.u.cluster.spec = STR("\x1a\0");
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_SET_FEATURE_LEVEL, .u.feature_level = 1};
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_IDENTITY};
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_UNFENCE};
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_CLUSTER_DELETE, .u.name.name = STR("default")};
    put(w, &cmd);
}

static void put_providers(struct writer *w)
{
    struct provider_name name = {STR("rack1")};
    struct command cmd = {.kind = CMD_PROVIDER_CREATE};
    cmd.u.provider.name = STR("rack2");
    put(w, &cmd);
    cmd.u.provider.name = STR("rack1");
    put(w, &cmd);
    cmd.kind = CMD_PROVIDER_UPDATE;
    cmd.u.provider.spec = STR("\x2a\0");
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_PROVIDER_DELETE, .u.name.name = STR("rack2")};
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_CLUSTER_UPDATE};
    cmd.u.cluster.name = STR("prod");
    cmd.u.cluster.has_providers = true;
    cmd.u.cluster.providers = &name;
    cmd.u.cluster.n_providers = 1;
    put(w, &cmd);
}

static void put_nodes(struct writer *w)
{
    static uint16_t reserved[] = {22, 51678};
    struct attribute attributes[] = {{STR("ecs.os-type"), STR("linux")}, {STR("ssd"), {NULL, 0}}};
    for (int i = 0; i < 4; i++) {
        struct command cmd = {.kind = CMD_NODE_REGISTER};
        struct node *node = &cmd.u.node_register.node;
        w->nodes[i] = (struct id){prng_u64(&w->p), prng_u64(&w->p)};
        cmd.u.node_register.cluster = STR("prod");
        node->id = w->nodes[i];
        node->name = STR("machine");
        node->address = STR("10.0.0.1");
        node->cpu = 4096;
        node->memory = 8192;
        node->port_min = 32768;
        node->port_max = 60999;
        node->reserved_tcp = reserved;
        node->n_reserved_tcp = 2;
        node->attributes = attributes;
        node->n_attributes = 2;
        node->agent_version = STR("0.1.0");
        put(w, &cmd);
        w->sessions[i] = w->r.result.revision;
        cmd = (struct command){.kind = CMD_NODE_CONNECTION};
        cmd.u.connection.id = w->nodes[i];
        cmd.u.connection.session = w->sessions[i];
        put(w, &cmd);
    }
}

static void put_definitions(struct writer *w)
{
    struct port_mapping port = {80, 0, 1, PROTO_TCP};
    struct container_summary c = {.name = STR("main"), .essential = true, .cpu = 64, .memory = 128};
    struct command cmd = {.kind = CMD_TASKDEF_REGISTER};
    c.ports = &port;
    c.n_ports = 1;
    for (int i = 0; i < 4; i++) {
        cmd.u.taskdef.def = (struct taskdef){
            .family = i % 2 == 0 ? STR("web") : STR("worker"),
            .cpu = 64,
            .memory = 128,
            .containers = &c,
            .n_containers = 1,
            .spec = STR("\x12\0"),
        };
        put(w, &cmd);
    }
    cmd = (struct command){.kind = CMD_TASKDEF_DEREGISTER};
    cmd.u.taskdef_ref.family = STR("worker");
    cmd.u.taskdef_ref.revision = 2;
    put(w, &cmd);
    cmd.kind = CMD_TASKDEF_DELETE;
    put(w, &cmd);
}

static void put_service(struct writer *w)
{
    struct strategy spread = {STRATEGY_SPREAD, STR("instanceId")};
    struct constraint distinct = {CONSTRAINT_DISTINCT_INSTANCE, {NULL, 0}};
    struct provider_share share = {STR("rack1"), 1, 2};
    struct command cmd = {.kind = CMD_SERVICE_CREATE};
    cmd.u.service_create.cluster = STR("prod");
    cmd.u.service_create.family = STR("web");
    cmd.u.service_create.revision = 1;
    cmd.u.service_create.token = (struct request_token){STR("token-1"), 77};
    cmd.u.service_create.service.name = STR("front");
    cmd.u.service_create.service.desired = 4;
    cmd.u.service_create.service.min_percent = 100;
    cmd.u.service_create.service.max_percent = 200;
    cmd.u.service_create.service.strategies = &spread;
    cmd.u.service_create.service.n_strategies = 1;
    cmd.u.service_create.service.constraints = &distinct;
    cmd.u.service_create.service.n_constraints = 1;
    put(w, &cmd);
    put(w, &cmd); /* Sent again: one effect. */
    cmd = (struct command){.kind = CMD_SERVICE_UPDATE};
    cmd.u.service_update.cluster = STR("prod");
    cmd.u.service_update.name = STR("front");
    cmd.u.service_update.has_desired = true;
    cmd.u.service_update.desired = 3;
    cmd.u.service_update.has_providers = true;
    cmd.u.service_update.providers = &share;
    cmd.u.service_update.n_providers = 1;
    put(w, &cmd);
}

/* Eight tasks: some of the service, the others alone, all over the nodes. */
static void put_plan(struct writer *w, uint32_t round)
{
    struct binding bindings[8];
    uint8_t owners[8] = {0};
    struct plan_task tasks[8] = {0};
    struct command cmd = {.kind = CMD_PLAN};
    uint32_t service = store_find_service(w->r.store, 1, STR("front"));
    for (uint32_t i = 0; i < 8; i++) {
        bindings[i] = (struct binding){80, (uint16_t)(32768 + round * 8 + i), PROTO_TCP};
        tasks[i].id = (struct id){prng_u64(&w->p), prng_u64(&w->p)};
        tasks[i].taskdef = store_find_taskdef(w->r.store, STR("web"), 1);
        tasks[i].service = i % 2 == 0 ? service : SLOT_NONE;
        tasks[i].node = store_find_node(w->r.store, w->nodes[i % 4]);
        tasks[i].deployment =
            service == SLOT_NONE ? 0 : store_service(w->r.store, service)->primary.id;
        tasks[i].cpu = 64;
        tasks[i].memory = 128;
        tasks[i].group = i % 2 == 0 ? STR("service:front") : STR("family:web");
        tasks[i].bindings = &bindings[i];
        tasks[i].binding_owner = &owners[i];
        tasks[i].n_bindings = 1;
        tasks[i].n_binding_owners = 1;
        if (w->n_tasks < 200) {
            w->tasks[w->n_tasks++] = tasks[i].id;
        }
    }
    cmd.u.plan.cluster = store_find_cluster(w->r.store, STR("prod"));
    cmd.u.plan.tasks = tasks;
    cmd.u.plan.n_tasks = 8;
    put(w, &cmd);
}

static void put_reports(struct writer *w)
{
    struct container_report containers[20] = {0};
    struct task_report reports[20] = {0};
    struct command cmd = {.kind = CMD_TASK_REPORTS};
    for (int i = 0; i < 20; i++) {
        uint64_t choice = prng_below(&w->p, 4);
        uint32_t slot;
        reports[i].id = w->tasks[prng_below(&w->p, w->n_tasks)];
        slot = store_find_task(w->r.store, reports[i].id);
        for (int n = 0; n < 4 && slot != SLOT_NONE; n++) {
            uint32_t node = store_task(w->r.store, slot)->node;
            if (node == store_find_node(w->r.store, w->nodes[n])) {
                reports[i].node = w->nodes[n];
                reports[i].session = w->sessions[n];
            }
        }
        reports[i].status = choice == 0 ? TASK_STOPPED : TASK_RUNNING;
        reports[i].started_at = 1700000000000 + i;
        containers[i].status = choice == 0 ? CONTAINER_STOPPED : CONTAINER_RUNNING;
        containers[i].has_exit_code = choice == 0;
        containers[i].exit_code = -1;
        containers[i].runtime_id = STR("0123");
        reports[i].containers = &containers[i];
        reports[i].n_containers = 1;
        if (choice == 0) {
            reports[i].stop_code = STOP_ESSENTIAL_EXITED;
            reports[i].reason = STR("Essential container in task exited");
            reports[i].stopped_at = 1700000001000 + i;
        }
    }
    cmd.u.reports.v = reports;
    cmd.u.reports.n = 20;
    put(w, &cmd);
}

static void put_rest(struct writer *w)
{
    struct tag tag = {STR("a"), STR("b")};
    struct node_attribute attribute = {w->nodes[1], {STR("rack"), STR("7")}};
    const struct meta *meta = store_meta(w->r.store);
    struct command cmd = {.kind = CMD_TASK_STOP};
    cmd.u.task_stop.cluster = STR("prod");
    cmd.u.task_stop.id = w->tasks[prng_below(&w->p, w->n_tasks)];
    cmd.u.task_stop.stop_code = STOP_USER;
    cmd.u.task_stop.reason = STR("asked to");
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_ATTRIBUTES_PUT};
    cmd.u.attributes.cluster = STR("prod");
    cmd.u.attributes.v = &attribute;
    cmd.u.attributes.n = 1;
    put(w, &cmd);
    cmd.kind = CMD_ATTRIBUTES_DELETE;
    if (prng_below(&w->p, 2) == 0) {
        put(w, &cmd);
    }
    cmd = (struct command){.kind = CMD_TAG};
    cmd.u.tags.kind = KIND_NODE;
    cmd.u.tags.id = w->nodes[2];
    cmd.u.tags.slot = store_find_node(w->r.store, w->nodes[2]);
    cmd.u.tags.tags = (struct tags){&tag, 1};
    put(w, &cmd);
    if (prng_below(&w->p, 2) == 0) {
        cmd.kind = CMD_UNTAG;
        put(w, &cmd);
    }
    cmd = (struct command){.kind = CMD_DIGEST};
    cmd.u.digest.revision = meta->revision;
    cmd.u.digest.digest = meta->digest;
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_GC};
    put(w, &cmd);
}

static void put_ends(struct writer *w)
{
    struct command cmd = {.kind = CMD_JOIN_CREATE};
    cmd.u.join.cluster = STR("prod");
    cmd.u.join.secret_sha256 = STR("0123456789abcdef0123456789abcdef");
    cmd.u.join.expires_at = 1800000000000;
    cmd.u.join.uses = 2;
    put(w, &cmd);
    cmd.kind = CMD_JOIN_USE;
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_NODE_STATE};
    cmd.u.node_ref.cluster = STR("prod");
    cmd.u.node_ref.id = w->nodes[0];
    cmd.u.node_ref.status = NODE_DRAINING;
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_NODE_CONNECTION};
    cmd.u.connection.id = w->nodes[3];
    cmd.u.connection.session = w->sessions[3];
    cmd.u.connection.connection = CONNECTION_LOST;
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_NODE_DEREGISTER};
    cmd.u.node_ref.cluster = STR("prod");
    cmd.u.node_ref.id = w->nodes[2];
    cmd.u.node_ref.force = true;
    put(w, &cmd);
    cmd = (struct command){.kind = CMD_SERVICE_DELETE};
    cmd.u.service_delete.cluster = STR("prod");
    cmd.u.service_delete.name = STR("front");
    cmd.u.service_delete.force = true;
    put(w, &cmd);
}

static void write_file(const char *name, const char *suffix, const void *bytes, size_t n)
{
    char path[PATH_LEN];
    FILE *f;
    (void)snprintf(path, sizeof path, FOLDER "/%s.%s", name, suffix);
    f = fopen(path, "wbx"); /* What is there was released, and stays. */
    ck_assert_msg(f != NULL, "%s: is there already, or cannot be written", path);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static void put_rows(struct replay *r, struct storage *s)
{
    struct buf row;
    buf_init(&row, test_mem(), 1u << 20);
    for (int kind = 1; kind < KIND_N; kind++) {
        for (uint32_t slot = 0; slot < store_slots(r->store, (enum kind)kind); slot++) {
            const void *v = store_row(r->store, (enum kind)kind, slot);
            if (v == NULL) {
                continue;
            }
            buf_clear(&row);
            ck_assert_int_eq(codec_encode_row(r->codec, (enum kind)kind, v, &row, NULL), 0);
            storage_row(s, (uint8_t)kind, slot, row.data, row.len);
        }
    }
    buf_close(&row);
}

/* As it is sent to another controller: one file, with the hash over its rows. */
static void write_checkpoint(struct replay *r, uint64_t index, const char *name)
{
    const struct meta *meta = store_meta(r->store);
    struct storage_point at;
    struct storage_snapshot *copy;
    struct storage *s;
    char dir[SCRATCH_LEN];
    uint8_t *bytes;
    uint64_t size;
    size_t n;
    scratch_dir(dir);
    open_storage(r, dir, &s, &at);
    put_rows(r, s);
    storage_commit(s, &(struct storage_point){index, 1, meta->revision, meta->digest});
    while (storage_durable(s).index < index) {
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    while (storage_snapshot_open(s, &copy, &at, &size, NULL) != 0) {
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    bytes = malloc(size);
    ck_assert_int_eq(storage_snapshot_read(copy, 0, bytes, size, &n, NULL), 0);
    ck_assert_uint_eq(n, size);
    write_file(name, "db", bytes, n);
    storage_snapshot_close(copy);
    ck_assert_int_eq(storage_close(s, NULL), 0);
    free(bytes);
}

static void write_log(const char *name)
{
    static struct writer w;
    char expect[EXPECT_MAX];
    replay_open(&w.r);
    buf_init(&w.log, test_mem(), LOG_MAX);
    prng_init(&w.p, 1);
    put_clusters(&w);
    put_providers(&w);
    put_nodes(&w);
    put_definitions(&w);
    put_service(&w);
    for (uint32_t round = 0; round < 12; round++) {
        put_plan(&w, round);
        put_reports(&w);
        put_rest(&w);
    }
    put_ends(&w);
    ck_assert_uint_gt(store_count(w.r.store, KIND_TASK), 20); /* Enough happened. */
    describe(&w.r, expect);
    write_file(name, "log", w.log.data, w.log.len);
    write_file(name, "expect", expect, strlen(expect));
    write_checkpoint(&w.r, w.n, name);
    buf_close(&w.log);
    replay_close(&w.r);
}

START_TEST(a_log_made_now_is_written_when_asked_for)
    {
        const char *name = getenv("ECS_REPLAY_WRITE");
        if (name != NULL) {
            write_log(name);
        }
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("replay");
    TEST_CASE(s, "replay", 60, a_log_made_now_is_written_when_asked_for,
              every_log_replays_to_its_digest, every_checkpoint_loads_with_its_digest);
    return scratch_run(s);
}
