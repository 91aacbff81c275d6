/* The ring on a simulated machine: what controller/engine does with libuv and raftnode. */
#include "tests/sim/simctl.h"

#include "tests/sim/simmodel.h"

#include <assert.h>
#include <string.h>

/* --- what the ring asks for ----------------------------------------------------------------------
 */

static int64_t on_wall_ms(void *ctx)
{
    struct simctl *c = ctx;
    return simworld_wall_ms(c->f->world, c->node);
}

static uint64_t on_mono_ms(void *ctx)
{
    struct simctl *c = ctx;
    return simworld_mono_ms(c->f->world, c->node);
}

static uint64_t on_random(void *ctx)
{
    struct simctl *c = ctx;
    return prng_u64(&c->prng);
}

static void turn(void *arg, uint64_t life, uint64_t b)
{
    struct simctl *c = arg;
    (void)b;
    if (c->up && c->life == life) {
        c->turn_posted = false;
        ring_turn(c->ring);
    }
}

static void on_wake(void *ctx)
{
    struct simctl *c = ctx;
    if (!c->turn_posted && !c->dying) {
        c->turn_posted = true;
        simworld_later_on(c->f->world, c->node, 1, turn, c, c->life, 0);
    }
}

static void alarm(void *arg, uint64_t life, uint64_t number)
{
    struct simctl *c = arg;
    if (c->up && c->life == life && c->alarm == number) {
        on_wake(c);
    }
}

static void on_wake_after(void *ctx, uint64_t ms)
{
    struct simctl *c = ctx;
    c->alarm++;
    if (ms != UINT64_MAX && !c->dying) {
        simworld_later_on(c->f->world, c->node, ms * 1000 + 1, alarm, c, c->life, c->alarm);
    }
}

/* As raftnode_propose(): it joins the log at the end of the turn. */
static void into_log(void *arg, uint64_t life, uint64_t b)
{
    struct simctl *c = arg;
    (void)b;
    if (!c->up || c->life != life || !c->has_entry) {
        return;
    }
    c->has_entry = false;
    c->in_log = true;
    if (simworld_propose_bytes(c->f->world, c->node, c->entry.data, c->entry.len) != 0 && c->up) {
        c->in_log = false;
        ring_lost(c->ring);
    }
}

static int on_propose(void *ctx, const uint8_t *bytes, size_t len, struct err *err)
{
    struct simctl *c = ctx;
    int rv = simworld_may_propose(c->f->world, c->node, len, err);
    if (rv != 0) {
        return rv;
    }
    assert(!c->has_entry && !c->in_log);
    buf_clear(&c->entry);
    buf_put(&c->entry, bytes, len);
    c->has_entry = true;
    simworld_later_on(c->f->world, c->node, 1, into_log, c, c->life, 0);
    return 0;
}

static void answer_reads(struct simctl *c, int status, uint64_t ticket)
{
    struct list ready;
    struct list *it;
    struct list *after;
    list_init(&ready);
    list_each_safe (it, after, &c->asked) {
        struct simask *a = container_of(it, struct simask, link);
        if (status != 0 || (a->ticket != 0 && a->ticket <= ticket)) {
            list_remove(&a->link);
            list_push(&ready, &a->link);
        }
    }
    while (!list_empty(&ready)) {
        struct simask *a = container_of(ready.next, struct simask, link);
        struct ring_read *read = a->read;
        list_remove(&a->link);
        mem_free(c->f->mem, a, sizeof *a);
        ring_fresh(read, status);
    }
}

static void ask_all(void *arg, uint64_t life, uint64_t b)
{
    struct simctl *c = arg;
    struct list *it;
    uint64_t ticket = 0;
    (void)b;
    if (!c->up || c->life != life) {
        return;
    }
    c->read_posted = false;
    if (list_empty(&c->asked)) {
        return;
    }
    if (simworld_ask(c->f->world, c->node, &ticket) != 0) {
        if (c->up) {
            answer_reads(c, ERR_NOTLEADER, 0);
        }
        return;
    }
    if (!c->up) {
        return;
    }
    list_each (it, &c->asked) {
        struct simask *a = container_of(it, struct simask, link);
        a->ticket = a->ticket == 0 ? ticket : a->ticket;
    }
    if (c->reads_done >= ticket) {
        answer_reads(c, 0, c->reads_done);
    }
}

static int on_ask(void *ctx, struct ring_read *r, struct err *err)
{
    struct simctl *c = ctx;
    struct simask *a;
    if (!simworld_is_ready(c->f->world, c->node)) {
        return err_set(err, ERR_NOTLEADER, "not the leader");
    }
    a = mem_alloc(c->f->mem, sizeof *a);
    a->read = r;
    list_push(&c->asked, &a->link);
    if (!c->read_posted) {
        c->read_posted = true;
        simworld_later_on(c->f->world, c->node, 1, ask_all, c, c->life, 0);
    }
    return 0;
}

static void on_row(void *ctx, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n)
{
    struct simctl *c = ctx;
    simckpt_row(&c->ckpt, kind, slot, bytes, n);
}

static void on_commit(void *ctx, const struct ring_point *point)
{
    struct simctl *c = ctx;
    simckpt_commit(&c->ckpt, point);
    simmodel_reached(c->f, c->node, point, ring_store(c->ring));
}

static void on_record(void *ctx, const struct ring_record *record)
{
    struct simctl *c = ctx;
    if (record->kind == RING_RECORD_AUDIT) {
        c->audited = record->revision;
    }
    simworld_note(c->f->world, record->revision << 16 ^ record->position << 4 ^ record->kind);
}

static bool on_keeps_up(void *ctx)
{
    (void)ctx;
    return true;
}

static void on_changed(void *ctx, const struct changes *changes)
{
    struct simctl *c = ctx;
    if (c->dying || c->ring == NULL) {
        return;
    }
    c->changed = changes == NULL ? 0 : changes->n;
    if (changes != NULL) {
        simmodel_changed(c->f, c->node, ring_store(c->ring), changes);
    }
    simlink_changed(c, changes);
}

static void hand_over(void *arg, uint64_t life, uint64_t b)
{
    struct simctl *c = arg;
    (void)b;
    if (c->up && c->life == life) {
        c->f->stats.guarded++;
        c->handing_over = false;
        simworld_hand_over(c->f->world, c->node);
    }
}

static void on_hand_over(void *ctx)
{
    struct simctl *c = ctx;
    if (!c->handing_over) {
        c->handing_over = true;
        simworld_later_on(c->f->world, c->node, 1, hand_over, c, c->life, 0);
    }
}

static void on_refused(void *ctx, uint32_t n_commands, const struct err *err)
{
    struct simctl *c = ctx;
    fleet_trace(c->f, "controller %u: %u commands refused: %s", c->node + 1, n_commands, err->text);
}

__attribute__((noreturn)) static void on_die(void *ctx, const char *event, const struct err *err)
{
    struct simctl *c = ctx;
    fleet_fail(c->f, "controller %u: %s: %s", c->node + 1, event, err->text);
}

static const struct ring_io ring_io = {
    .wall_ms = on_wall_ms,
    .mono_ms = on_mono_ms,
    .random = on_random,
    .propose = on_propose,
    .ask = on_ask,
    .wake = on_wake,
    .wake_after = on_wake_after,
    .row = on_row,
    .commit = on_commit,
    .record = on_record,
    .keeps_up = on_keeps_up,
    .changed = on_changed,
    .hand_over = on_hand_over,
    .refused = on_refused,
    .die = on_die,
};

/* --- what the world says -------------------------------------------------------------------------
 */

/* Make the durable checkpoint the state. */
static void load(struct simctl *c)
{
    struct store *store = store_open(c->f->mem);
    struct err err = {0};
    if (simckpt_load(&c->ckpt, c->f->codec, store, &err) != 0) {
        fleet_fail(c->f, "controller %u: checkpoint: %s", c->node + 1, err.text);
    }
    ring_take_state(c->ring, store, c->ckpt.at.index);
    simmodel_loaded(c->f, c->node, &c->ckpt.at, store);
}

static void app_boot(void *ctx, unsigned node, uint64_t *ret_index, uint64_t *ret_term)
{
    struct fleet *f = ctx;
    const struct leader_settings settings = {
        .lost_after_ms = SIMCTL_LOST_MS,
        .grace_ms = SIMCTL_GRACE_MS,
        .plan_items_max = 1000,
        .loss_percent = f->opt.loss_percent,
    };
    struct simctl *c = f->controllers[node];
    assert(!c->up);
    c->life++;
    c->up = true;
    c->dying = false;
    c->turn_posted = false;
    c->has_entry = false;
    c->in_log = false;
    c->read_posted = false;
    c->link_posted = false;
    c->taking = false;
    c->handing_over = false;
    c->reads_done = 0;
    c->ring = ring_open(f->codec, &settings, &ring_io, c, f->mem);
    if (c->ckpt.at.index > 0) {
        load(c);
    }
    *ret_index = c->ckpt.at.index;
    *ret_term = c->ckpt.at.term;
}

static void app_die(void *ctx, unsigned node)
{
    struct fleet *f = ctx;
    struct simctl *c = f->controllers[node];
    assert(c->up);
    c->dying = true;
    simlink_die(c);
    while (!list_empty(&c->asked)) {
        struct simask *a = container_of(c->asked.next, struct simask, link);
        list_remove(&a->link);
        mem_free(f->mem, a, sizeof *a);
    }
    ring_abandon(c->ring);
    ring_close(c->ring);
    c->ring = NULL;
    c->up = false;
    simckpt_crash(&c->ckpt);
}

static void app_wipe(void *ctx, unsigned node)
{
    struct fleet *f = ctx;
    struct simctl *c = f->controllers[node];
    assert(!c->up);
    simckpt_close(&c->ckpt);
    simckpt_init(&c->ckpt, f->mem);
}

static void app_apply(void *ctx, unsigned node, uint64_t index, uint64_t term, const uint8_t *bytes,
                      size_t len, bool ours)
{
    struct fleet *f = ctx;
    struct simctl *c = f->controllers[node];
    struct err err = {0};
    if (ours) {
        assert(c->in_log);
        c->in_log = false;
    }
    c->applies++;
    ring_apply(c->ring, index, term, bytes, len, ours);
    if (c->applies >= c->check_at) { /* It costs as much as there are rows. */
        c->check_at = c->applies + 257 + 4ull * store_count(ring_store(c->ring), KIND_TASK);
        f->stats.store_checks++;
        if (store_check(ring_store(c->ring), &err) != 0) {
            fleet_fail(f, "controller %u: %s", node + 1, err.text);
        }
    }
}

static void app_lead(void *ctx, unsigned node)
{
    struct fleet *f = ctx;
    ring_lead(f->controllers[node]->ring);
}

static void app_lost(void *ctx, unsigned node)
{
    struct fleet *f = ctx;
    struct simctl *c = f->controllers[node];
    if (c->in_log || c->has_entry) {
        c->in_log = false;
        c->has_entry = false;
        ring_lost(c->ring);
    }
    if (ring_leader(c->ring) != NULL) {
        ring_follow(c->ring);
    }
    answer_reads(c, ERR_NOTLEADER, 0);
}

static void app_read_ready(void *ctx, unsigned node, uint64_t ticket)
{
    struct fleet *f = ctx;
    struct simctl *c = f->controllers[node];
    c->reads_done = ticket;
    answer_reads(c, 0, ticket);
}

/* --- probes -------------------------------------------------------------------------------------
 */

struct probe {
    struct ring_read read;
    struct simctl *c;
    uint64_t need;
};

static void probed(struct ring_read *r, int status)
{
    struct probe *p = container_of(r, struct probe, read);
    struct simctl *c = p->c;
    uint64_t revision = store_meta(ring_store(c->ring))->revision;
    if (status == 0 && !c->dying) {
        c->f->stats.probes++;
        if (revision < p->need) {
            fleet_fail(c->f, "I14: controller %u reads at revision %llu, but %llu was acknowledged",
                       c->node + 1, (unsigned long long)revision, (unsigned long long)p->need);
        }
    }
    mem_free(c->f->mem, p, sizeof *p);
}

void simctl_probe(struct simctl *c)
{
    struct probe *p;
    if (!c->up || ring_leader(c->ring) == NULL || simworld_is_paused(c->f->world, c->node)) {
        return;
    }
    p = mem_alloc(c->f->mem, sizeof *p);
    p->c = c;
    p->need = simmodel_acked(c->f);
    p->read.ready = probed;
    ring_read(c->ring, &p->read);
    ask_all(c, c->life, 0);
}

static void app_resumed(void *ctx, unsigned node)
{
    struct fleet *f = ctx;
    simctl_probe(f->controllers[node]);
}

static void app_checkpoint(void *ctx, unsigned node)
{
    struct fleet *f = ctx;
    simckpt_flush(&f->controllers[node]->ckpt);
}

static void app_snapshot(void *ctx, unsigned node, struct buf *out)
{
    struct fleet *f = ctx;
    simckpt_encode(&f->controllers[node]->ckpt, out);
}

static void app_install(void *ctx, unsigned node, const uint8_t *bytes, size_t n)
{
    struct fleet *f = ctx;
    struct err err = {0};
    if (simckpt_decode(&f->controllers[node]->ckpt, bytes, n, &err) != 0) {
        fleet_fail(f, "controller %u: received: %s", node + 1, err.text);
    }
}

static void app_installed(void *ctx, unsigned node)
{
    struct fleet *f = ctx;
    load(f->controllers[node]);
}

void simctl_app(struct fleet *f)
{
    f->app = (struct simapp){
        .ctx = f,
        .boot = app_boot,
        .die = app_die,
        .wipe = app_wipe,
        .apply = app_apply,
        .lead = app_lead,
        .lost = app_lost,
        .read_ready = app_read_ready,
        .resumed = app_resumed,
        .checkpoint = app_checkpoint,
        .snapshot = app_snapshot,
        .install = app_install,
        .installed = app_installed,
    };
}

struct simctl *simctl_new(struct fleet *f, unsigned node)
{
    struct simctl *c = mem_alloc(f->mem, sizeof *c);
    c->f = f;
    c->node = node;
    prng_init(&c->prng, f->opt.world.seed * 31 + node);
    simckpt_init(&c->ckpt, f->mem);
    buf_init(&c->entry, f->mem, RING_ENTRY_MAX);
    buf_init(&c->out, f->mem, WIRE_MESSAGE_MAX);
    list_init(&c->asked);
    list_init(&c->sessions);
    return c;
}

void simctl_free(struct simctl *c)
{
    if (c == NULL) {
        return;
    }
    assert(!c->up);
    simckpt_close(&c->ckpt);
    buf_close(&c->entry);
    buf_close(&c->out);
    mem_free(c->f->mem, c, sizeof *c);
}
