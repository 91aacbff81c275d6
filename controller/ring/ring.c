/* Group commit: while a batch is in flight, requests wait; when it was applied, everything that
 * waits becomes the next one. Under load entries get larger, not more frequent, and every decision
 * is made on applied state plus what the same batch already decided (the leader's reservations). */
#include "controller/ring/ring.h"

#include "common/base/buggify.h"
#include "common/base/plant.h"
#include "controller/core/feature.h"
#include "controller/ring/ring_impl.h"

#include <assert.h>
#include <string.h>

#define WALL_RATE    10    /* A wrong time is corrected by a tenth of the time that passes, */
#define WALL_STEP_MS 60000 /* and at most by so much at once. */

/* Answer every write of the list, with status and a sentence. */
static void answer(struct list *writes, int status, const char *why)
{
    struct list mine;
    struct err err = {0};
    list_init(&mine);
    list_splice(&mine, writes);
    err_set(&err, status, "%s", why);
    while (!list_empty(&mine)) {
        struct ring_write *w = container_of(mine.next, struct ring_write, queue);
        list_remove(&w->queue);
        w->done(w, status, NULL, &err);
    }
}

static void answer_reads(struct list *reads)
{
    struct list mine;
    list_init(&mine);
    list_splice(&mine, reads);
    while (!list_empty(&mine)) {
        struct ring_read *read = container_of(mine.next, struct ring_read, queue);
        list_remove(&read->queue);
        read->ready(read, read->status);
    }
}

/* --- batches
 * ---------------------------------------------------------------------------------------- */

static void batch_clear(struct batch *b)
{
    b->n = 0;
    b->at = 0;
    b->n_flight = 0;
    arena_clear(&b->arena);
}

void ring_batch_done(struct ring *r)
{
    batch_clear(&r->batch);
    if (r->leader != NULL) {
        leader_settle(r->leader);
    }
}

/* The next n commands of the batch come to nothing. */
static void batch_fail(struct ring *r, uint32_t n, int status, const struct err *err)
{
    struct batch *b = &r->batch;
    uint32_t end = b->at + n;
    assert(end <= b->n);
    while (b->at < end) {
        struct ring_write *w = b->writers[b->at++];
        if (w != NULL) {
            w->done(w, status, NULL, err);
        }
    }
}

static struct command *batch_add(struct ring *r, struct ring_write *w)
{
    struct batch *b = &r->batch;
    struct command *cmd = &b->commands[b->n];
    memset(cmd, 0, sizeof *cmd);
    b->writers[b->n] = w;
    return cmd;
}

/* Stamp what only the ring knows and count the command in. */
static void batch_commit(struct ring *r, struct command *cmd)
{
    cmd->at_ms = ring_now_ms(r);
    cmd->seed = ring_random(r);
    r->batch.n++;
}

uint32_t ring_voters_level(const struct ring *r)
{
    uint32_t level = r->io->voters_level == NULL ? FEATURE_LEVEL : r->io->voters_level(r->ctx);
    return level < FEATURE_LEVEL ? level : FEATURE_LEVEL;
}

/* Ask one request what it wants now that its turn has come. */
static void decide(struct ring *r, struct ring_write *w)
{
    struct err err = {0};
    struct command *cmd = batch_add(r, w);
    int rv = w->decide(w, cmd, &r->batch.arena, &err);
    if (rv == 0) {
        batch_commit(r, cmd);
        return;
    }
    w->done(w, rv == 1 ? 0 : rv, NULL, &err);
}

/* The leader's digest of the applied state goes first, where every replica can compare. */
static void publish_digest(struct ring *r)
{
    const struct meta *meta = store_meta(r->store);
    struct command *cmd;
    if (meta->revision < r->published + RING_DIGEST_EVERY &&
        !(meta->revision > r->published + 1 && BUGGIFY(RING_DIGEST))) {
        return;
    }
    cmd = batch_add(r, NULL);
    cmd->kind = CMD_DIGEST;
    cmd->u.digest.revision = meta->revision;
    cmd->u.digest.digest = meta->digest;
    r->published = meta->revision;
    batch_commit(r, cmd);
}

/* The level to raise the cluster to, or 0. An empty state gets level 1, which every program knows
 * and 0.1.0 never set: such a cluster was never anything else, and goes on as soon as all voters
 * have announced more. Any other one waits, so that a rolling upgrade can be undone. */
static uint32_t level_due(struct ring *r)
{
    const struct meta *meta = store_meta(r->store);
    uint64_t now = r->io->mono_ms(r->ctx);
    uint32_t level = ring_voters_level(r);
    if (level <= meta->feature_level) {
        r->level_since_ms = 0;
        return meta->revision == 0 ? 1 : 0;
    }
    if (meta->revision == 0 || meta->feature_level == 1) {
        return level;
    }
    r->level_since_ms = r->level_since_ms != 0 ? r->level_since_ms : now;
    return now >= r->level_since_ms + RING_LEVEL_WAIT_MS ? level : 0;
}

static void publish_level(struct ring *r)
{
    struct command *cmd;
    uint32_t level;
    if (store_meta(r->store)->feature_level >= FEATURE_LEVEL ||
        r->io->mono_ms(r->ctx) < r->retry_ms) {
        return;
    }
    level = level_due(r);
    if (level > store_meta(r->store)->feature_level) {
        cmd = batch_add(r, NULL);
        cmd->kind = CMD_SET_FEATURE_LEVEL;
        cmd->u.feature_level = level;
        batch_commit(r, cmd);
    }
}

/* A control plane without a name gets one, from its first leader. */
static void publish_identity(struct ring *r)
{
    if (store_meta(r->store)->feature_level < feature_of_command(CMD_IDENTITY)) {
        return;
    }
    if (id_is_none(store_meta(r->store)->cluster_id) && r->io->mono_ms(r->ctx) >= r->retry_ms) {
        batch_add(r, NULL)->kind = CMD_IDENTITY;
        batch_commit(r, &r->batch.commands[r->batch.n]);
    }
}

static void collect_writes(struct ring *r)
{
    while (!list_empty(&r->writes) && r->batch.n < RING_BATCH_MAX &&
           r->batch.arena.used < RING_BATCH_BYTES) {
        struct ring_write *w = container_of(r->writes.next, struct ring_write, queue);
        list_remove(&w->queue);
        r->n_writes--;
        decide(r, w);
        if (BUGGIFY(RING_ONE_WRITE)) {
            break;
        }
    }
}

static void collect_passes(struct ring *r)
{
    int64_t deadline;
    int64_t now = ring_now_ms(r);
    struct batch *b = &r->batch;
    uint32_t n;
    if (r->io->mono_ms(r->ctx) < r->retry_ms || !leader_dirty(r->leader, now, &deadline) ||
        BUGGIFY(RING_NO_PASS)) {
        return;
    }
    n = leader_pass(r->leader, now, &b->commands[b->n], RING_PASS_MAX, &b->arena);
    if (leader_take_handover(r->leader) && r->io->hand_over != NULL) {
        r->io->hand_over(r->ctx);
    }
    for (uint32_t i = 0; i < n; i++) {
        b->writers[b->n] = NULL;
        batch_commit(r, &b->commands[b->n]);
    }
}

/* The log takes nothing now. What the leader wants it will want again, but not at once; the reason
 * is told when it begins, not for every request. */
static void refused(struct ring *r, int rv, const struct err *err)
{
    r->retry_ms = r->io->mono_ms(r->ctx) + RING_RETRY_MS;
    if (rv != r->refusal && rv != ERR_NOTLEADER && rv != ERR_AGAIN && rv != ERR_CLOSED) {
        r->io->refused(r->ctx, r->batch.n - r->batch.at, err);
    }
    r->refusal = rv;
}

/* As many of the batch's commands as fit into one entry. */
static int propose_some(struct ring *r, struct err *err)
{
    struct batch *b = &r->batch;
    uint16_t level = (uint16_t)store_meta(r->store)->feature_level;
    int rv;
    b->n_flight = b->n - b->at;
    if (b->n_flight > 1 && BUGGIFY(RING_SPLIT)) {
        b->n_flight = (b->n_flight + 1) / 2;
    }
    for (;;) {
        buf_clear(&r->entry);
        rv = codec_encode_batch(r->codec, &b->commands[b->at], b->n_flight, level, &r->entry, err);
        if (rv != ERR_TOOBIG || b->n_flight == 1) {
            break;
        }
        b->n_flight = (b->n_flight + 1) / 2;
    }
    if (rv == 0 && BUGGIFY(RING_NOT_NOW)) {
        rv = err_set(err, ERR_AGAIN, "not now");
    }
    return rv != 0 ? rv : r->io->propose(r->ctx, r->entry.data, r->entry.len, err);
}

static void propose(struct ring *r)
{
    struct batch *b = &r->batch;
    while (b->at < b->n) {
        struct err err = {0};
        int rv = propose_some(r, &err);
        if (rv == 0) {
            r->in_flight = true;
            r->refusal = 0;
            r->n_batches++;
            return;
        }
        refused(r, rv, &err);
        b->n_flight = rv == ERR_TOOBIG ? b->n_flight : b->n - b->at;
        r->n_rejected += b->n_flight;
        batch_fail(r, b->n_flight, rv == ERR_AGAIN ? ERR_NOTLEADER : rv, &err);
    }
    ring_batch_done(r);
}

/* Ask to be woken when the leader has a deadline. */
static void arm(struct ring *r)
{
    int64_t now = ring_now_ms(r);
    int64_t deadline = INT64_MAX;
    uint64_t mono = r->io->mono_ms(r->ctx);
    if (mono < r->retry_ms) {
        r->io->wake_after(r->ctx, r->retry_ms - mono);
        return;
    }
    if (leader_dirty(r->leader, now, &deadline)) {
        if (!r->in_flight) {
            r->io->wake(r->ctx);
        }
        return;
    }
    if (store_meta(r->store)->feature_level < FEATURE_LEVEL &&
        deadline - RING_LEVEL_AGAIN_MS > now) {
        deadline = now + RING_LEVEL_AGAIN_MS;
    }
    if (deadline == INT64_MAX) {
        r->io->wake_after(r->ctx, UINT64_MAX);
    } else {
        r->io->wake_after(r->ctx, deadline > now ? (uint64_t)(deadline - now) : 0);
    }
}

void ring_turn(struct ring *r)
{
    answer(&r->refused, ERR_NOTLEADER, "this controller does not lead");
    answer(&r->overflow, ERR_FULL, "too many requests are waiting");
    answer_reads(&r->reads);
    if (r->leader == NULL) {
        r->n_writes = 0;
        answer(&r->writes, ERR_NOTLEADER, "this controller does not lead");
        return;
    }
    if (r->in_flight || !r->io->keeps_up(r->ctx)) {
        return; /* The apply, or the storage thread's progress, wakes us again. */
    }
    if (!leader_build(r->leader, BUGGIFY(RING_BUILDS_SLOWLY) ? 1 : RING_BUILD_MAX)) {
        r->io->wake(r->ctx); /* In between the others hear from us. */
        return;
    }
    if (r->batch.n == 0) {
        publish_level(r);
        publish_identity(r);
        publish_digest(r);
        collect_passes(r); /* Decided on the state that they meet: nothing comes in between. */
        collect_writes(r);
    }
    propose(r);
    arm(r);
    if (!list_empty(&r->writes)) {
        r->io->wake(r->ctx);
    }
}

/* --- what raft says -----------------------------------------------------------------------------
 */

/* The rest of a batch whose first entries are applied was not proposed at all. */
static void drop_rest(struct ring *r)
{
    struct err err = {0};
    err_set(&err, ERR_NOTLEADER, "this controller does not lead");
    batch_fail(r, r->batch.n - r->batch.at, ERR_NOTLEADER, &err);
    batch_clear(&r->batch);
}

void ring_lost(struct ring *r)
{
    struct err err = {0};
    assert(r->in_flight);
    err_set(&err, ERR_UNKNOWN,
            "leadership was lost while the request was in flight: it may or may not be carried "
            "out; send it again with the same client token");
    r->in_flight = false;
    batch_fail(r, r->batch.n_flight, PLANTED(LOST_IS_OK) ? 0 : ERR_UNKNOWN, &err);
    drop_rest(r);
}

static bool has_managed_tags(const struct service *service)
{
    return codec_managed_tags(service->spec);
}

void ring_lead(struct ring *r)
{
    assert(r->leader == NULL);
    r->leader = leader_begin(r->store, &r->settings, ring_now_ms(r), r->mem);
    leader_set_managed_tags(r->leader, has_managed_tags);
    r->io->changed(r->ctx, NULL);
    r->io->wake(r->ctx);
}

void ring_follow(struct ring *r)
{
    assert(!r->in_flight);
    drop_rest(r);
    leader_close(r->leader);
    r->leader = NULL;
    r->retry_ms = 0;
    r->io->wake_after(r->ctx, UINT64_MAX);
    r->io->changed(r->ctx, NULL);
    r->io->wake(r->ctx);
}

/* --- requests -----------------------------------------------------------------------------------
 */

void ring_submit(struct ring *r, struct ring_write *w)
{
    list_init(&w->queue);
    if (r->leader == NULL || r->stopping) {
        list_push(&r->refused, &w->queue);
    } else if (r->n_writes >= RING_WAITING_MAX) {
        r->n_rejected++;
        list_push(&r->overflow, &w->queue);
    } else {
        r->n_writes++;
        list_push(&r->writes, &w->queue);
    }
    r->io->wake(r->ctx);
}

void ring_read(struct ring *r, struct ring_read *read)
{
    struct err err = {0};
    int rv;
    list_init(&read->queue);
    read->status = 0;
    if (!read->eventual) {
        rv = r->io->ask(r->ctx, read, &err);
        if (rv == 0) {
            list_push(&r->asked, &read->queue);
            return;
        }
        read->status = rv == ERR_AGAIN ? ERR_NOTLEADER : rv;
    }
    list_push(&r->reads, &read->queue);
    r->io->wake(r->ctx);
}

void ring_fresh(struct ring_read *read, int status)
{
    list_remove(&read->queue);
    read->ready(read, status);
}

/* --- questions ----------------------------------------------------------------------------------
 */

const struct store *ring_store(const struct ring *r)
{
    return r->store;
}

struct leader *ring_leader(struct ring *r)
{
    return r->leader;
}

/* One machine's wrong clock must not decide the time of the cluster: a leap by a day would end the
 * life of tokens and of stopped tasks. What the wall clock said when the program started is
 * believed; later steps are followed slowly. */
static int64_t steady_wall_ms(struct ring *r)
{
    int64_t mono = (int64_t)r->io->mono_ms(r->ctx);
    int64_t step = r->io->wall_ms(r->ctx) - mono - r->wall_offset;
    int64_t room = (mono - (int64_t)r->wall_moved_ms) / WALL_RATE;
    room = room < WALL_STEP_MS ? room : WALL_STEP_MS;
    if (room > 0) {
        r->wall_offset += step > room ? room : step < -room ? -room : step;
        r->wall_moved_ms = (uint64_t)mono;
    }
    return mono + r->wall_offset;
}

/* When the wall clock is behind, time goes on from what the state has seen by the monotonic clock:
 * standing still would freeze back-offs and the detection of lost nodes. */
int64_t ring_now_ms(struct ring *r)
{
    int64_t wall = steady_wall_ms(r);
    int64_t since = (int64_t)(r->io->mono_ms(r->ctx) - r->seen_mono_ms);
    int64_t least = r->seen_now + since;
    return r->seen_now == 0 || wall > least || PLANTED(TIME_GOES_BACK) ? wall : least;
}

uint64_t ring_random(struct ring *r)
{
    return r->io->random(r->ctx);
}

struct ring_status ring_status(const struct ring *r)
{
    return (struct ring_status){
        .applied_index = r->applied_index,
        .n_commands = r->n_commands,
        .n_batches = r->n_batches,
        .n_rejected = r->n_rejected,
        .n_waiting = r->n_writes,
    };
}

/* --- life ---------------------------------------------------------------------------------------
 */

struct ring *ring_open(const struct codec *codec, const struct leader_settings *settings,
                       const struct ring_io *io, void *ctx, const struct mem *mem)
{
    struct ring *r = mem_alloc(mem, sizeof *r);
    r->mem = mem;
    r->codec = codec;
    r->settings = *settings;
    r->io = io;
    r->ctx = ctx;
    list_init(&r->writes);
    list_init(&r->refused);
    list_init(&r->overflow);
    list_init(&r->reads);
    list_init(&r->asked);
    changes_init(&r->changes, mem);
    changes_init(&r->dirty, mem);
    arena_init(&r->apply_arena, mem);
    arena_init(&r->told_arena, mem);
    arena_init(&r->batch.arena, mem);
    r->batch.commands = mem_alloc(mem, RING_SLOTS * sizeof *r->batch.commands);
    r->batch.writers = mem_alloc(mem, RING_SLOTS * sizeof(struct ring_write *));
    buf_init(&r->row, mem, RING_ROW_MAX);
    buf_init(&r->entry, mem, RING_ENTRY_MAX);
    r->store = store_open(mem);
    r->wall_moved_ms = io->mono_ms(ctx);
    r->wall_offset = io->wall_ms(ctx) - (int64_t)r->wall_moved_ms;
    return r;
}

void ring_take_state(struct ring *r, struct store *store, uint64_t index)
{
    assert(r->leader == NULL);
    store_close(r->store);
    r->store = store;
    r->applied_index = index;
    changes_clear(&r->dirty);
    ring_see_time(r);
    r->io->changed(r->ctx, NULL);
}

void ring_stop(struct ring *r)
{
    r->stopping = true;
}

void ring_abandon(struct ring *r)
{
    struct list *it;
    r->stopping = true;
    r->n_writes = 0;
    answer(&r->refused, ERR_CLOSED, "the controller stops");
    answer(&r->overflow, ERR_CLOSED, "the controller stops");
    answer(&r->writes, ERR_CLOSED, "the controller stops");
    if (r->in_flight) {
        ring_lost(r);
    }
    drop_rest(r);
    list_splice(&r->reads, &r->asked);
    list_each (it, &r->reads) {
        container_of(it, struct ring_read, queue)->status = ERR_CLOSED;
    }
    answer_reads(&r->reads);
}

void ring_close(struct ring *r)
{
    if (r == NULL) {
        return;
    }
    leader_close(r->leader);
    store_close(r->store);
    changes_close(&r->changes);
    changes_close(&r->dirty);
    arena_close(&r->apply_arena);
    arena_close(&r->told_arena);
    arena_close(&r->batch.arena);
    mem_free(r->mem, r->batch.commands, RING_SLOTS * sizeof *r->batch.commands);
    mem_free(r->mem, r->batch.writers, RING_SLOTS * sizeof(struct ring_write *));
    buf_close(&r->row);
    buf_close(&r->entry);
    mem_free(r->mem, r, sizeof *r);
}
