/* Checked with every change: I2 (digests), I4 (capacity), I5 (ports), I6 (states), I7 and I8
 * (containers), I9 (tokens), I10 (revisions), I11 (deployments), time. */
#include "tests/sim/simmodel.h"

#include "tests/sim/simctl.h"

#include "common/base/hash.h"
#include "common/base/map.h"
#include "controller/core/schema.h"
#include "controller/core/schema_tables.h"

#include <stdlib.h>
#include <string.h>

#define PORT_BITS      65536u
#define STOPPED_MAX    64u
#define GUARD_SLACK_MS 1000

struct seen_task { /* One task that ever was. */
    struct id id;
    uint64_t by; /* Hash of who asked for it; 0: a service. */
    uint32_t node;
    uint32_t created; /* Bit per container: it was created on some host. */
    uint32_t slot;
    uint8_t status;
    uint8_t desired;
    bool lost; /* Its node was given up. */
};

struct seen_node {
    struct id id;
    uint64_t cpu;
    uint64_t memory;
    uint64_t ports[2][PORT_BITS / 64];
};

struct seen_family {
    uint64_t name;
    uint32_t last;
};

struct simmodel {
    struct fleet *f;
    uint64_t revision; /* Of the latest command that was looked at. */
    int64_t now;
    uint64_t digest; /* At m->revision. */
    uint64_t acked;
    uint32_t stopped[STOPPED_MAX]; /* Services whose running tasks this command stops. */
    unsigned n_stopped;
    struct ring_point *points; /* By index: what was reached there. */
    uint64_t cap_points;
    struct seen_task *tasks;
    uint32_t n_tasks;
    uint32_t cap_tasks;
    struct map by_id;
    uint32_t *at_slot; /* Position + 1 in tasks of the row in each slot. */
    uint32_t cap_slots;
    struct seen_node **nodes; /* By slot. */
    uint32_t cap_nodes;
    struct seen_family *families;
    uint64_t n_families;
    uint64_t cap_families;
};

static uint64_t hash_id(struct id id)
{
    return hash_mix(id.hi, id.lo);
}

static bool same_id(const void *ctx, uint32_t value, const void *key)
{
    const struct simmodel *m = ctx;
    return id_eq(m->tasks[value].id, *(const struct id *)key);
}

static struct seen_task *find_task(struct simmodel *m, struct id id)
{
    uint32_t i = map_get(&m->by_id, hash_id(id), same_id, m, &id);
    return i == MAP_NONE ? NULL : &m->tasks[i];
}

static void *grow(struct simmodel *m, void *v, uint64_t *cap, uint64_t need, size_t size)
{
    uint64_t was = *cap;
    if (need < was) {
        return v;
    }
    *cap = was == 0 ? 64 : was;
    while (*cap <= need) {
        *cap *= 2;
    }
    return mem_resize(m->f->mem, v, was * size, *cap * size);
}

/* --- nodes ---------------------------------------------------------------------------------------
 */

static struct seen_node *node_at(struct simmodel *m, uint32_t slot)
{
    uint64_t cap = m->cap_nodes;
    m->nodes = grow(m, m->nodes, &cap, slot, sizeof(struct seen_node *));
    m->cap_nodes = (uint32_t)cap;
    if (m->nodes[slot] == NULL) {
        m->nodes[slot] = mem_alloc(m->f->mem, sizeof(struct seen_node));
    }
    return m->nodes[slot];
}

static void node_changed(struct simmodel *m, const struct store *store, uint32_t slot)
{
    const struct node *row = store_node(store, slot);
    struct seen_node *n = node_at(m, slot);
    if (row == NULL || !id_eq(n->id, row->id)) {
        if (n->cpu != 0 || n->memory != 0) {
            fleet_fail(m->f, "node %u went away with tasks on it", slot);
        }
        memset(n, 0, sizeof *n);
    }
    if (row == NULL) {
        return;
    }
    n->id = row->id;
    if (row->cpu_used != n->cpu || row->memory_used != n->memory) {
        fleet_fail(m->f, "node %u counts %u CPU and %u MiB used, its tasks have %llu and %llu",
                   slot, row->cpu_used, row->memory_used, (unsigned long long)n->cpu,
                   (unsigned long long)n->memory);
    }
}

/* The ports and the room of a task are taken from its creation to its end. */
static void take(struct simmodel *m, const struct store *store, const struct task *t, bool give)
{
    const struct node *row = store_node(store, t->node);
    struct seen_node *n = node_at(m, t->node);
    n->cpu = give ? n->cpu - t->cpu : n->cpu + t->cpu;
    n->memory = give ? n->memory - t->memory : n->memory + t->memory;
    if (!give && (row == NULL || n->cpu > row->cpu || n->memory > row->memory)) {
        fleet_fail(m->f, "I4: node %u is over-committed: %llu CPU, %llu MiB", t->node,
                   (unsigned long long)n->cpu, (unsigned long long)n->memory);
    }
    for (uint32_t i = 0; i < t->n_containers; i++) {
        for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
            const struct binding *b = &t->containers[i].bindings[k];
            uint64_t *word = &n->ports[b->proto][b->host_port / 64];
            uint64_t bit = UINT64_C(1) << (b->host_port % 64);
            if (!give && (*word & bit) != 0) {
                fleet_fail(m->f, "I5: port %u of node %u is given twice", b->host_port, t->node);
            }
            *word = give ? *word & ~bit : *word | bit;
        }
    }
}

/* --- tasks ---------------------------------------------------------------------------------------
 */

/* I11: no more wanted tasks than maximumPercent allows, when one is added. */
static void check_bounds(struct simmodel *m, const struct store *store, const struct task *t)
{
    const struct service *v = store_service(store, t->service);
    uint64_t most;
    uint32_t n = 0;
    if (v == NULL || v->scheduling == SCHEDULING_DAEMON) {
        return;
    }
    for (uint32_t slot = v->first_task; slot != SLOT_NONE;
         slot = store_task(store, slot)->in_service.next) {
        const struct task *other = store_task(store, slot);
        n += other->status != TASK_STOPPED && other->desired == TASK_RUNNING;
    }
    most = (uint64_t)v->desired * v->max_percent / 100;
    most = most < v->desired ? v->desired : most;
    if (n > most) {
        fleet_fail(m->f, "I11: service %u wants %u, has %u tasks, may have %llu", t->service,
                   v->desired, n, (unsigned long long)most);
    }
}

/* I11: when the controllers stop a task that runs, enough others do; later in the command. */
static void note_stop(struct simmodel *m, const struct task *t)
{
    for (unsigned i = 0; i < m->n_stopped; i++) {
        if (m->stopped[i] == t->service) {
            return;
        }
    }
    if (m->n_stopped < STOPPED_MAX) {
        m->stopped[m->n_stopped++] = t->service;
    }
}

static void check_stops(struct simmodel *m, const struct store *store)
{
    for (unsigned i = 0; i < m->n_stopped; i++) {
        const struct service *v = store_service(store, m->stopped[i]);
        uint32_t n = 0;
        uint32_t least;
        if (v == NULL || v->status != SERVICE_ACTIVE) {
            continue;
        }
        for (uint32_t slot = v->first_task; slot != SLOT_NONE;
             slot = store_task(store, slot)->in_service.next) {
            const struct task *t = store_task(store, slot);
            n += t->status == TASK_RUNNING && t->desired == TASK_RUNNING;
        }
        least = v->desired * v->min_percent / 100;
        if (n < least) {
            fleet_fail(m->f,
                       "I11: service %u wants %u, at least %u healthy; a task that ran was stopped "
                       "and %u are left",
                       m->stopped[i], v->desired, least, n);
        }
    }
    m->n_stopped = 0;
}

static void new_task(struct simmodel *m, const struct store *store, uint32_t slot,
                     const struct task *t)
{
    struct seen_task *s;
    uint64_t cap = m->cap_tasks;
    if (find_task(m, t->id) != NULL) {
        fleet_fail(m->f, "I6: task in slot %u was there before", slot);
    }
    if (t->status > TASK_PENDING) {
        fleet_fail(m->f, "a task begins its life in status %u", t->status);
    }
    m->tasks = grow(m, m->tasks, &cap, m->n_tasks, sizeof *m->tasks);
    m->cap_tasks = (uint32_t)cap;
    s = &m->tasks[m->n_tasks];
    *s = (struct seen_task){
        .id = t->id, .node = t->node, .slot = slot, .status = t->status, .desired = t->desired};
    s->by = t->started_by.n == 0 ? 0 : hash_bytes(t->started_by.p, t->started_by.n, 1);
    map_put(&m->by_id, hash_id(t->id), m->n_tasks);
    m->n_tasks++;
    m->at_slot[slot] = m->n_tasks;
    m->f->stats.tasks++;
    if (t->status != TASK_STOPPED) {
        take(m, store, t, false);
    }
    if (t->service != SLOT_NONE) {
        check_bounds(m, store, t);
    }
}

/* Its reason names the priority of who needs the room. */
static void note_preempted(struct simmodel *m, const struct store *store, const struct task *t)
{
    static const char word[] = "of priority ";
    const char *at = memmem(t->stop_reason.p, t->stop_reason.n, word, sizeof word - 1);
    const struct service *v = store_service(store, t->service);
    unsigned long priority = at == NULL ? 0 : strtoul(at + sizeof word - 1, NULL, 10);
    m->f->stats.preempted++;
    if (priority <= (t->priority == 0 ? PRIORITY_DEFAULT : t->priority)) {
        fleet_fail(m->f, "a task of priority %u was stopped: %.*s", t->priority,
                   STR_ARG(t->stop_reason));
    }
    if (v != NULL && v->scheduling == SCHEDULING_DAEMON) {
        fleet_fail(m->f, "a daemon's task was stopped: %.*s", STR_ARG(t->stop_reason));
    }
}

static void old_task(struct simmodel *m, const struct store *store, struct seen_task *s,
                     const struct task *t)
{
    if (t->status < s->status || t->desired < s->desired) {
        fleet_fail(m->f, "I6: a task went back from status %u, wanted %u to %u, %u", s->status,
                   s->desired, t->status, t->desired);
    }
    if (t->node != s->node) {
        fleet_fail(m->f, "a task moved from node %u to %u", s->node, t->node);
    }
    if (t->status == TASK_STOPPED && s->status != TASK_STOPPED) {
        take(m, store, t, true);
    }
    if (t->desired == TASK_STOPPED && s->desired != TASK_STOPPED && t->status == TASK_RUNNING &&
        s->status == TASK_RUNNING && t->stop_code == STOP_SERVICE_SCHEDULER) {
        note_stop(m, t);
    }
    if (t->desired == TASK_STOPPED && s->desired != TASK_STOPPED && t->stop_code == STOP_SPOT) {
        note_preempted(m, store, t);
    }
    if (t->status == TASK_RUNNING && s->status < TASK_RUNNING) {
        m->f->stats.tasks_run++;
    }
    s->status = t->status;
    s->desired = t->desired;
}

static void task_changed(struct simmodel *m, const struct store *store, uint32_t slot)
{
    const struct task *t = store_task(store, slot);
    struct seen_task *s;
    uint64_t cap = m->cap_slots;
    m->at_slot = grow(m, m->at_slot, &cap, slot, sizeof *m->at_slot);
    m->cap_slots = (uint32_t)cap;
    s = m->at_slot[slot] == 0 ? NULL : &m->tasks[m->at_slot[slot] - 1];
    if (s != NULL && (t == NULL || !id_eq(s->id, t->id))) {
        if (s->status != TASK_STOPPED) {
            fleet_fail(m->f, "a task that had not stopped is gone");
        }
        m->at_slot[slot] = 0;
        s = NULL;
    }
    if (t != NULL && s == NULL) {
        new_task(m, store, slot, t);
    } else if (t != NULL) {
        old_task(m, store, s, t);
    }
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static void family_changed(struct simmodel *m, const struct store *store, uint32_t slot)
{
    const struct taskdef *def = store_taskdef(store, slot);
    struct seen_family *f = NULL;
    uint64_t name;
    if (def == NULL || def->version != store_meta(store)->revision || def->deregistered_at != 0) {
        return;
    }
    name = hash_bytes(def->family.p, def->family.n, 2);
    for (uint64_t i = 0; i < m->n_families; i++) {
        f = m->families[i].name == name ? &m->families[i] : f;
    }
    if (f == NULL) {
        m->families = grow(m, m->families, &m->cap_families, m->n_families, sizeof *m->families);
        f = &m->families[m->n_families++];
        f->name = name;
    }
    if (def->registered_at == store_meta(store)->now && def->revision <= f->last) {
        fleet_fail(m->f, "I10: revision %u comes after %u", def->revision, f->last);
    }
    f->last = def->revision > f->last ? def->revision : f->last;
}

/* I2: what changed is in the digest, row for row. */
static void check_digest(struct simmodel *m, const struct store *store,
                         const struct changes *changes)
{
    const struct meta *meta = store_meta(store);
    uint64_t digest = hash_mix(m->digest, (uint64_t)meta->now);
    for (uint32_t i = 0; i < changes->n; i++) {
        const struct change *c = &changes->v[i];
        const void *row = store_row(store, c->kind, c->slot);
        uint64_t hash =
            row == NULL || c->kind == KIND_META ? 0 : schema_hash(schema_of_kind(c->kind), row, 1);
        digest = hash_mix(hash_mix(digest, (uint64_t)c->kind << 32 | c->slot), hash);
    }
    if (m->revision > 1 && digest != meta->digest) {
        fleet_fail(m->f, "I2: the digest of revision %llu leaves out a row that changed",
                   (unsigned long long)meta->revision);
    }
    m->digest = meta->digest;
}

/* A node that is given up must start nothing any more of what was its own: its lease is over (I8).
 * Those that users deregister by force may not have heard of it yet. */
static void note_lost(struct simmodel *m, const struct store *store, uint32_t slot)
{
    const struct node *n = store_node(store, slot);
    bool lost = false;
    if (n == NULL || n->connected || n->n_active > 0 || n->status == NODE_INACTIVE) {
        return;
    }
    for (uint32_t i = 0; i < store_slots(store, KIND_TASK); i++) {
        const struct task *t = store_task(store, i);
        if (t != NULL && t->node == slot && t->stop_code == STOP_INFRASTRUCTURE &&
            t->version == store_meta(store)->revision) {
            find_task(m, t->id)->lost = true;
            lost = true;
        }
    }
    m->f->stats.lost_nodes += lost;
    if (lost && m->f->opt.loss_percent > 0 &&
        store_meta(store)->now > m->f->heard_ms + SIMCTL_LOST_MS / 2 + GUARD_SLACK_MS) {
        fleet_fail(m->f, "the guard: node %u is given up %lld ms after any node was heard", slot,
                   (long long)(store_meta(store)->now - m->f->heard_ms));
    }
}

void simmodel_changed(struct fleet *f, unsigned node, const struct store *store,
                      const struct changes *changes)
{
    struct simmodel *m = f->model;
    const struct meta *meta = store_meta(store);
    if (meta->revision <= m->revision) {
        return;
    }
    if (meta->revision != m->revision + 1 || meta->now < m->now) {
        fleet_fail(f, "controller %u: revision %llu, time %lld after %llu, %lld", node + 1,
                   (unsigned long long)meta->revision, (long long)meta->now,
                   (unsigned long long)m->revision, (long long)m->now);
    }
    m->revision = meta->revision;
    m->now = meta->now;
    f->stats.commands++;
    check_digest(m, store, changes);
    for (uint32_t i = 0; i < changes->n; i++) { /* Ends first: what they held may be taken again. */
        const struct task *t =
            changes->v[i].kind == KIND_TASK ? store_task(store, changes->v[i].slot) : NULL;
        if (t != NULL && t->status == TASK_STOPPED) {
            task_changed(m, store, changes->v[i].slot);
        }
    }
    for (uint32_t i = 0; i < changes->n; i++) {
        if (changes->v[i].kind == KIND_TASK) {
            task_changed(m, store, changes->v[i].slot);
        } else if (changes->v[i].kind == KIND_TASKDEF) {
            family_changed(m, store, changes->v[i].slot);
        }
    }
    for (uint32_t i = 0; i < changes->n; i++) {
        if (changes->v[i].kind == KIND_NODE) {
            node_changed(m, store, changes->v[i].slot);
            note_lost(m, store, changes->v[i].slot);
        }
    }
    check_stops(m, store);
}

void simmodel_loaded(struct fleet *f, unsigned node, const struct ring_point *point,
                     const struct store *store)
{
    simmodel_reached(f, node, point, store);
}

/* I2: the same index, the same state; from the rolling digest of every row change. */
void simmodel_reached(struct fleet *f, unsigned node, const struct ring_point *point,
                      const struct store *store)
{
    struct simmodel *m = f->model;
    struct ring_point *p;
    (void)store;
    m->points = grow(m, m->points, &m->cap_points, point->index, sizeof *m->points);
    p = &m->points[point->index];
    if (p->index == 0) {
        *p = *point;
        f->stats.entries++;
    }
    if (p->term != point->term || p->revision != point->revision || p->digest != point->digest) {
        fleet_fail(f,
                   "I2: controller %u is at revision %llu after entry %llu, with another state "
                   "than the first (%llu)",
                   node + 1, (unsigned long long)point->revision, (unsigned long long)point->index,
                   (unsigned long long)p->revision);
    }
    simworld_note(f->world, point->digest);
}

uint32_t simmodel_made_by(const struct fleet *f, struct str started_by)
{
    const struct simmodel *m = f->model;
    uint64_t by = hash_bytes(started_by.p, started_by.n, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        n += m->tasks[i].by == by;
    }
    return n;
}

void simmodel_created(struct fleet *f, unsigned agent, struct id node, struct id task,
                      uint32_t container)
{
    struct simmodel *m = f->model;
    struct seen_task *s = find_task(m, task);
    const struct seen_node *n;
    if (s == NULL) {
        fleet_fail(f, "agent %u creates a container of a task that never was", agent + 1);
    }
    if ((s->created >> container & 1) != 0) {
        fleet_fail(f, "I7: agent %u creates container %u of a task again", agent + 1, container);
    }
    s->created |= UINT32_C(1) << container;
    n = m->nodes[s->node];
    if (n == NULL || !id_eq(n->id, node)) {
        fleet_fail(f, "I8: agent %u creates a container of a task of node %u", agent + 1, s->node);
    }
    if (s->lost) {
        fleet_fail(f, "I8: agent %u starts a task after its node was given up", agent + 1);
    }
}

/* I12: what a definition's environment holds goes to the node of the task and to no other. */
void simmodel_told(struct fleet *f, unsigned agent, struct id node, struct id task, struct str spec)
{
    struct simmodel *m = f->model;
    const struct seen_task *s = find_task(m, task);
    const struct seen_node *n = s == NULL ? NULL : m->nodes[s->node];
    if (spec.n > 0 && (n == NULL || !id_eq(n->id, node))) {
        fleet_fail(f, "I12: agent %u is told the specification of a task that is not its own",
                   agent + 1);
    }
}

uint64_t simmodel_acked(const struct fleet *f)
{
    return f->model->acked;
}

void simmodel_ack(struct fleet *f, uint64_t revision)
{
    f->model->acked = revision > f->model->acked ? revision : f->model->acked;
}

struct simmodel *simmodel_new(struct fleet *f)
{
    struct simmodel *m = mem_alloc(f->mem, sizeof *m);
    m->f = f;
    map_init(&m->by_id, f->mem);
    return m;
}

void simmodel_free(struct simmodel *m)
{
    const struct mem *mem;
    if (m == NULL) {
        return;
    }
    mem = m->f->mem;
    for (uint32_t i = 0; i < m->cap_nodes; i++) {
        mem_free(mem, m->nodes[i], sizeof(struct seen_node));
    }
    mem_free(mem, m->nodes, m->cap_nodes * sizeof(struct seen_node *));
    mem_free(mem, m->tasks, m->cap_tasks * sizeof *m->tasks);
    mem_free(mem, m->at_slot, m->cap_slots * sizeof *m->at_slot);
    mem_free(mem, m->families, m->cap_families * sizeof *m->families);
    mem_free(mem, m->points, m->cap_points * sizeof *m->points);
    map_close(&m->by_id);
    mem_free(mem, m, sizeof *m);
}
