/* Each allocation of what a controller does with outside bytes fails in turn: log and checkpoint
 * opened and written, entries and messages decoded, API calls. An error or the documented end of
 * the process; never a crash, a leak or half a change. */
#include "common/loop/sysmem.h"
#include "controller/codec/object.h"
#include "controller/raft/conf.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/message.h"
#include "controller/storage/checkpoint.h"
#include "tests/lib/fail_alloc.h"
#include "tests/unit/controller/api/rig.h"
#include "tests/unit/controller/storage/scratch.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define RUNS     200
#define PATH_LEN 200

static void sleep_briefly(void)
{
    (void)nanosleep(&(struct timespec){0, 200000}, NULL);
}

/* --- the log -------------------------------------------------------------------------------------
 */

static const struct conf_member members[] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};

static int open_log(const struct disk *disk, struct durable **ret, struct err *err)
{
    struct durable_settings set = {.id = 1, .members = members, .n_members = 3};
    set.log.segment_bytes = 4096;
    return durable_open(disk, sysmem(), &set, ret, err);
}

static int append(struct durable *d, struct err *err)
{
    struct replica_entry e = {1, RAFT_COMMAND, (const uint8_t *)"hello", 5};
    uint64_t next = logfile_last(durable_log(d)) + 1;
    int rv = logfile_append(durable_log(d), next, &e, 1, err);
    rv = rv != 0 ? rv : logfile_flush(durable_log(d), err);
    return rv != 0 ? rv : durable_save_vote(d, next, 1, err);
}

static size_t entries_on_disk(const char *dir)
{
    struct disk disk = {0};
    struct durable *d;
    size_t n;
    assert(disk_posix_open(dir, &disk, NULL) == 0);
    assert(open_log(&disk, &d, NULL) == 0);
    n = durable_boot(d)->n_entries;
    durable_close(d);
    disk_posix_close(&disk);
    return n;
}

static unsigned long use_log(void *arg, unsigned long n, int *ret_error)
{
    char dir[SCRATCH_LEN];
    struct disk disk = {0};
    struct durable *d = NULL;
    struct err err = {0};
    unsigned long total;
    size_t acked = 0;
    int rv;
    (void)arg;
    scratch_dir(dir);
    fail_alloc_at(n);
    rv = disk_posix_open(dir, &disk, &err);
    rv = rv != 0 ? rv : open_log(&disk, &d, &err);
    for (acked = 0; rv == 0 && acked < 3; acked += rv == 0) {
        rv = append(d, &err);
    }
    total = fail_alloc_stop();
    assert(rv == 0 || err.text[0] != '\0');
    durable_close(d);
    disk_posix_close(&disk);
    assert(entries_on_disk(dir) >= acked + 1);
    *ret_error = rv;
    return total;
}

START_TEST(a_log_is_opened_and_written_or_refused)
    {
        struct fail_alloc_report r = fail_alloc_torture("log", use_log, NULL, RUNS);
        ck_assert_uint_gt(r.n_errors + r.n_aborts, 10);
    }
END_TEST

/* --- the checkpoint ------------------------------------------------------------------------------
 */

struct box {
    char dir[SCRATCH_LEN];
    struct codec *codec;
};

static void put_row(struct codec *codec, struct storage *s, const struct store *store,
                    enum kind kind, uint32_t slot)
{
    struct buf b;
    buf_init(&b, sysmem(), 1 << 20);
    ck_assert_int_eq(codec_encode_row(codec, kind, store_row(store, kind, slot), &b, NULL), 0);
    storage_row(s, (uint8_t)kind, slot, b.data, b.len);
    buf_close(&b);
}

/* A checkpoint of ten clusters. */
static void make_checkpoint(struct box *x)
{
    struct storage_options o = {.dir = x->dir};
    struct storage_point at;
    struct storage *s;
    struct store *store = store_open(sysmem());
    struct changes changes;
    const struct meta *meta;
    scratch_dir(x->dir);
    ck_assert_int_eq(codec_open(sysmem(), &x->codec, NULL), 0);
    o.codec = x->codec;
    ck_assert_int_eq(storage_open(&o, &s, &at, NULL), 0);
    changes_init(&changes, sysmem());
    for (int i = 0; i < 10; i++) {
        char name[16];
        struct command cmd = {.kind = CMD_CLUSTER_CREATE, .at_ms = 1};
        struct result result;
        (void)snprintf(name, sizeof name, "cluster-%d", i);
        cmd.u.cluster.name = str_of(name);
        store_apply(store, &cmd, &changes, &result);
        put_row(x->codec, s, store, KIND_CLUSTER, result.slot);
    }
    put_row(x->codec, s, store, KIND_META, 0);
    meta = store_meta(store);
    storage_commit(s, &(struct storage_point){7, 1, meta->revision, meta->digest});
    ck_assert_int_eq(storage_close(s, NULL), 0);
    changes_close(&changes);
    store_close(store);
}

static unsigned long load_checkpoint(void *arg, unsigned long n, int *ret_error)
{
    struct box *x = arg;
    struct storage_options o = {.dir = x->dir, .codec = x->codec};
    struct storage_point at = {0};
    struct storage *s = NULL;
    struct store *store = store_open(sysmem());
    struct err err = {0};
    unsigned long total;
    int rv;
    fail_alloc_at(n);
    rv = storage_open(&o, &s, &at, &err);
    rv = rv != 0 ? rv : storage_load(s, store, sysmem(), &err);
    total = fail_alloc_stop();
    assert(rv == 0 || err.text[0] != '\0');
    assert(rv != 0 || (at.index == 7 && store_count(store, KIND_CLUSTER) == 10));
    (void)storage_close(s, NULL);
    store_close(store);
    *ret_error = rv;
    return total;
}

static unsigned long copy_checkpoint(void *arg, unsigned long n, int *ret_error)
{
    struct box *x = arg;
    struct storage_options o = {.dir = x->dir, .codec = x->codec};
    struct storage_point at = {0};
    struct storage_snapshot *snap = NULL;
    struct storage *s = NULL;
    unsigned long total;
    uint64_t size;
    int rv;
    assert(storage_open(&o, &s, &at, NULL) == 0);
    while ((rv = storage_snapshot_open(s, &snap, &at, &size, NULL)) == ERR_AGAIN) {
        sleep_briefly();
    }
    assert(rv == 0);
    storage_snapshot_close(snap);
    fail_alloc_at(n);
    rv = storage_snapshot_open(s, &snap, &at, &size, NULL);
    total = fail_alloc_stop();
    *ret_error = rv == ERR_AGAIN ? 0 : rv;
    (void)storage_close(s, NULL);
    return total + 1; /* That there is one is the storage thread's business. */
}

START_TEST(a_checkpoint_is_loaded_or_refused)
    {
        static struct box x;
        struct fail_alloc_report r;
        make_checkpoint(&x);
        r = fail_alloc_torture("checkpoint", load_checkpoint, &x, RUNS);
        ck_assert_uint_gt(r.n_errors, 20);
        ck_assert_uint_gt(r.n_aborts, 0);
        (void)fail_alloc_torture("copy of the checkpoint", copy_checkpoint, &x, RUNS);
        codec_close(x.codec);
    }
END_TEST

/* --- bytes from others ---------------------------------------------------------------------------
 */

struct bytes {
    struct codec *codec;
    struct buf batch;
    struct buf frame;
};

static void make_bytes(struct bytes *x)
{
    struct command cmd = {.kind = CMD_CLUSTER_CREATE};
    struct tag tag = {STR("k"), STR("v")};
    struct raft_buffer conf;
    struct raft_entry entries[2] = {{.term = 1, .type = RAFT_CHANGE}, {.term = 2}};
    struct replica_message m = {.kind = REPLICA_RAFT};
    ck_assert_int_eq(codec_open(sysmem(), &x->codec, NULL), 0);
    buf_init(&x->batch, sysmem(), 1 << 20);
    buf_init(&x->frame, sysmem(), 1 << 20);
    cmd.u.cluster.name = STR("prod");
    cmd.u.cluster.tags = (struct tags){&tag, 1};
    ck_assert_int_eq(codec_encode_batch(x->codec, &cmd, 1, 1, &x->batch, NULL), 0);
    ck_assert_int_eq(conf_encode(members, 3, &conf, NULL), 0);
    entries[0].buf = conf;
    entries[1].type = RAFT_COMMAND;
    entries[1].buf = (struct raft_buffer){
        x->batch.data,
        x->batch.len,
    };
    m.raft.type = RAFT_APPEND_ENTRIES;
    m.raft.append_entries = (struct raft_append_entries){.term = 2, .entries = entries};
    m.raft.append_entries.n_entries = 2;
    message_encode_replica(&m, &x->frame);
    raft_free(conf.base);
}

static unsigned long decode_entry(void *arg, unsigned long n, int *ret_error)
{
    struct bytes *x = arg;
    struct str frame = str_make((const char *)x->batch.data, x->batch.len);
    struct command *commands = NULL;
    struct arena arena;
    uint32_t n_commands = 0;
    unsigned long total;
    struct err err = {0};
    arena_init(&arena, sysmem());
    fail_alloc_at(n);
    *ret_error = codec_decode_batch(x->codec, frame, &arena, &commands, &n_commands, &err);
    total = fail_alloc_stop();
    assert(*ret_error == 0 ? n_commands == 1 : err.text[0] != '\0');
    arena_close(&arena);
    return total;
}

static unsigned long decode_message(void *arg, unsigned long n, int *ret_error)
{
    struct bytes *x = arg;
    struct raft_entry entries[REPLICA_BATCH_MAX];
    struct raft_configuration conf;
    struct message m;
    struct err err = {0};
    unsigned long total;
    int rv;
    fail_alloc_at(n);
    rv = message_decode(x->frame.data + MESSAGE_HEAD, x->frame.len - MESSAGE_HEAD, entries, &m,
                        &err);
    if (rv == 0) {
        rv = conf_decode(entries[0].buf.base, entries[0].buf.len, &conf, &err);
    }
    total = fail_alloc_stop();
    assert(rv == 0 || err.text[0] != '\0');
    if (rv == 0) {
        assert(conf.n >= 3);
        raft_configuration_close(&conf);
    }
    *ret_error = rv;
    return total;
}

START_TEST(bytes_of_others_are_decoded_or_refused)
    {
        static struct bytes x;
        struct fail_alloc_report r;
        make_bytes(&x);
        (void)fail_alloc_torture("entry", decode_entry, &x, RUNS);
        r = fail_alloc_torture("message", decode_message, &x, RUNS);
        ck_assert_uint_gt(r.n_errors, 0);
        buf_close(&x.batch);
        buf_close(&x.frame);
        codec_close(x.codec);
    }
END_TEST

/* --- API calls -----------------------------------------------------------------------------------
 */

struct call {
    const char *op;
    const char *json;
};

static const struct call setup_calls[] = {
    {"CreateCluster", "{\"clusterName\":\"default\"}"},
    {"RegisterTaskDefinition",
     "{\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"main\",\"image\":\"i\","
     "\"memory\":64,\"portMappings\":[{\"containerPort\":80}]}]}"},
    {"CreateService", "{\"serviceName\":\"front\",\"taskDefinition\":\"web\",\"desiredCount\":2}"},
};

static const struct call calls[] = {
    {"CreateCluster", "{\"clusterName\":\"other\",\"tags\":[{\"key\":\"a\",\"value\":\"b\"}]}"},
    {"DescribeClusters", "{\"clusters\":[\"default\"],\"include\":[\"STATISTICS\"]}"},
    {"RegisterTaskDefinition",
     "{\"family\":\"job\",\"containerDefinitions\":[{\"name\":\"main\",\"image\":\"i\","
     "\"memory\":64,\"environment\":[{\"name\":\"A\",\"value\":\"1\"}],\"command\":[\"x\",\"y\"]}]"
     "}"},
    {"DescribeTaskDefinition", "{\"taskDefinition\":\"web\"}"},
    {"ListTaskDefinitions", "{}"},
    {"RunTask", "{\"taskDefinition\":\"web\",\"count\":3}"},
    {"ListTasks", "{}"},
    {"CreateService", "{\"serviceName\":\"back\",\"taskDefinition\":\"web\",\"desiredCount\":1}"},
    {"UpdateService", "{\"service\":\"front\",\"desiredCount\":4}"},
    {"DescribeServices", "{\"services\":[\"front\"]}"},
    {"DeleteService", "{\"service\":\"front\",\"force\":true}"},
    {"ListContainerInstances", "{\"filter\":\"attribute:ecs.cpu-architecture == x86_64\"}"},
    {"TagResource",
     "{\"resourceArn\":\"" ARN_PREFIX "cluster/default\",\"tags\":[{\"key\":\"k\"}]}"},
    {"PutAttributes",
     "{\"attributes\":[{\"name\":\"rack\",\"value\":\"7\",\"targetType\":\"container-instance\","
     "\"targetId\":\"" NODE_ONE "\"}]}"},
    {"DeregisterTaskDefinition", "{\"taskDefinition\":\"web:1\"}"},
};

/* 0, or an error answer. */
static int try_call(struct rig *r, const struct call *call)
{
    static const struct api_call_options options;
    struct principal caller = principal_of_insecure();
    const struct api_op *row = api_find(r->api, str_of(API_ECS_SERVICE), str_of(call->op));
    struct api_call *c;
    struct err err = {0};
    assert(row != NULL);
    c = api_call_open(r->api, row, &caller, NULL);
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->aws = true;
    if (transcode_read(row->request, str_of(call->json), &c->arena, &c->request, &err) != 0) {
        assert(err.text[0] != '\0');
        api_call_close(c);
        return ERR_NOMEM;
    }
    r->done = false;
    api_call_start(c, &options, rig_done, r);
    while (!r->done) {
        (void)uv_run(&r->loop, UV_RUN_ONCE);
    }
    return r->answer.data[0] == '{' ? 0 : ERR_NOMEM;
}

static unsigned long call_api(void *arg, unsigned long n, int *ret_error)
{
    const struct call *call = arg;
    struct rig r;
    uint64_t digest;
    unsigned long total;
    struct err err = {0};
    rig_open(&r, NULL);
    for (unsigned i = 0; i < sizeof setup_calls / sizeof setup_calls[0]; i++) {
        assert(try_call(&r, &setup_calls[i]) == 0);
        if (i == 0) {
            rig_node(&r, NODE_ONE, 4096, 4096);
        }
    }
    digest = store_meta(r.engine->store)->digest;
    fail_alloc_at(n);
    *ret_error = try_call(&r, call);
    total = fail_alloc_stop();
    if (*ret_error != 0) { /* Refused: nothing of it was done. */
        assert(store_meta(r.engine->store)->digest == digest);
    }
    assert(store_check(r.engine->store, &err) == 0);
    assert(try_call(&r, call) == 0 || *ret_error == 0); /* It goes on. */
    rig_close(&r);
    return total;
}

START_TEST(a_call_is_answered_or_refused)
    {
        struct call *call = (struct call *)(uintptr_t)&calls[_i];
        struct fail_alloc_report r = fail_alloc_torture(call->op, call_api, call, 60);
        ck_assert_uint_gt(r.n_errors + r.n_aborts, 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("oom");
    TCase *api = tcase_create("api");
    TEST_CASE(s, "disk", 300, a_log_is_opened_and_written_or_refused,
              a_checkpoint_is_loaded_or_refused);
    TEST_CASE(s, "bytes", 300, bytes_of_others_are_decoded_or_refused);
    tcase_set_timeout(api, 300);
    tcase_add_loop_test(api, a_call_is_answered_or_refused, 0,
                        (int)(sizeof calls / sizeof calls[0]));
    suite_add_tcase(s, api);
    return scratch_run(s);
}
