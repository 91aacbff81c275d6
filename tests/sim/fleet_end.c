/* What must hold when the faults are over: I1 (what was acknowledged is there), I2 (all controllers
 * alike, row for row), I16 (what is wanted runs), I17 (and nothing else), I18 (nothing is left of
 * what is over), I19 (nor in the state), I20 (everybody was answered). And whether enough has
 * happened for that to mean anything. */
#include "common/base/hash.h"
#include "controller/core/limits.h"
#include "controller/core/schema.h"
#include "controller/core/schema_tables.h"
#include "tests/lib/lincheck.h"
#include "tests/sim/simclient.h"
#include "tests/sim/simctl.h"

#include <stdio.h>
#include <string.h>

#define OLD_SLACK_MS 600000 /* What is due goes within minutes. */

/* Tasks that the state has RUNNING on the node of this agent; how many, and their ids. */
static uint32_t running_on(const struct store *store, struct id node, struct id *ids, uint32_t max)
{
    uint32_t slot = store_find_node(store, node);
    const struct node *n = store_node(store, slot);
    uint32_t count = 0;
    if (n == NULL) {
        return 0;
    }
    for (uint32_t t = n->first_task; t != SLOT_NONE; t = store_task(store, t)->on_node.next) {
        const struct task *task = store_task(store, t);
        if (task->status == TASK_RUNNING && task->desired == TASK_RUNNING && count < max) {
            ids[count++] = task->id;
        }
    }
    return count;
}

/* Who has the host port of this node? */
static bool port_held(const struct store *store, const struct node *n, uint16_t port)
{
    for (uint32_t slot = n->first_task; slot != SLOT_NONE;
         slot = store_task(store, slot)->on_node.next) {
        const struct task *t = store_task(store, slot);
        for (uint32_t i = 0; t->status != TASK_STOPPED && i < t->n_containers; i++) {
            for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
                if (t->containers[i].bindings[k].host_port == port) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* A service with a fixed host port may have fewer tasks than it wants, if the port is taken on
 * every node. Everything else has room enough. */
static bool is_excused(const struct store *store, const struct service *v)
{
    const struct taskdef *def = store_taskdef(store, v->primary.taskdef);
    uint16_t port = def->containers[0].n_ports == 0 ? 0 : def->containers[0].ports[0].host_port;
    if (port == 0 || v->n_running > v->desired || v->n_wanted != v->n_running) {
        return false;
    }
    for (uint32_t i = 0; i < store_slots(store, KIND_NODE); i++) {
        const struct node *n = store_node(store, i);
        if (n != NULL && n->status == NODE_ACTIVE && n->connected && !port_held(store, n, port) &&
            n->cpu_used + def->cpu <= n->cpu && n->memory_used + def->memory <= n->memory) {
            return false;
        }
    }
    return true;
}

static bool services_settled(const struct store *store, char why[256])
{
    for (uint32_t i = 0; i < store_slots(store, KIND_SERVICE); i++) {
        const struct service *v = store_service(store, i);
        if (v == NULL || v->status == SERVICE_INACTIVE) {
            continue;
        }
        if (v->status == SERVICE_DRAINING) {
            (void)snprintf(why, 256, "service %.*s still drains", (int)v->name.n, v->name.p);
            return false;
        }
        if ((v->n_running != v->desired || v->n_pending != 0 || v->n_wanted != v->desired) &&
            !is_excused(store, v)) {
            (void)snprintf(why, 256, "service %.*s: %u running, %u pending, %u wanted",
                           (int)v->name.n, v->name.p, v->n_running, v->n_pending, v->desired);
            return false;
        }
    }
    return true;
}

static bool tasks_settled(const struct store *store, char why[256])
{
    for (uint32_t i = 0; i < store_slots(store, KIND_TASK); i++) {
        const struct task *t = store_task(store, i);
        if (t != NULL && t->status != TASK_STOPPED &&
            (t->service == SLOT_NONE || t->desired == TASK_STOPPED)) {
            (void)snprintf(why, 256, "a task in status %u, desired %u, has not ended", t->status,
                           t->desired);
            return false;
        }
    }
    return true;
}

static bool agents_settled(struct fleet *f, const struct store *store, char why[256])
{
    struct id ids[64];
    for (unsigned i = 0; i < f->opt.n_agents; i++) {
        const struct simagent *a = f->agents[i];
        struct id id = simagent_id(a);
        const struct node *n = store_node(store, store_find_node(store, id));
        if (n == NULL || !n->connected || n->status != NODE_ACTIVE) {
            char text[256];
            simagent_describe(a, id, text);
            (void)snprintf(why, 256, "the node of agent %u is %s; it is %.200s", i + 1,
                           n == NULL                    ? "not there"
                           : n->status == NODE_INACTIVE ? "deregistered"
                           : n->status == NODE_DRAINING ? "drained"
                                                        : "not connected",
                           text);
            return false;
        }
        if (!simagent_runs_exactly(a, ids, running_on(store, id, ids, 64), why) ||
            !simagent_is_clean(a, why)) {
            return false;
        }
    }
    return true;
}

static int agent_of(const struct fleet *f, struct id node)
{
    for (unsigned i = 0; i < f->opt.n_agents; i++) {
        if (id_eq(simagent_id(f->agents[i]), node)) {
            return (int)i;
        }
    }
    return -1;
}

void fleet_dump(struct fleet *f)
{
    int leader = simworld_leader(f->world);
    const struct store *store;
    if (leader < 0) {
        return;
    }
    store = ring_store(f->controllers[leader]->ring);
    for (uint32_t i = 0; i < store_slots(store, KIND_TASK); i++) {
        const struct task *t = store_task(store, i);
        const struct node *n = t == NULL ? NULL : store_node(store, t->node);
        char text[256] = "no agent";
        if (t == NULL || t->status == TASK_STOPPED ||
            (t->status == TASK_RUNNING && t->desired == TASK_RUNNING && t->service != SLOT_NONE)) {
            continue;
        }
        if (agent_of(f, n->id) >= 0) {
            simagent_describe(f->agents[agent_of(f, n->id)], t->id, text);
        }
        printf("task %u: status %u, desired %u, node %u of agent %d (session %llu, %s): %s\n", i,
               t->status, t->desired, t->node, agent_of(f, n->id) + 1,
               (unsigned long long)n->session, n->connected ? "connected" : "not connected", text);
    }
}

bool fleet_settled(struct fleet *f, char why[256])
{
    const struct store *store;
    if (simworld_leader(f->world) < 0 || !simworld_agreed(f->world)) {
        (void)snprintf(why, 256, "the controllers do not agree");
        return false;
    }
    for (unsigned i = 0; i < f->opt.n_clients; i++) {
        if (!simclient_is_idle(f->clients[i])) {
            (void)snprintf(why, 256, "client %u waits for an answer", i + 1);
            return false;
        }
    }
    store = ring_store(f->controllers[simworld_leader(f->world)]->ring);
    return services_settled(store, why) && tasks_settled(store, why) &&
           agents_settled(f, store, why);
}

void fleet_check_history(struct fleet *f)
{
    unsigned leader = (unsigned)simworld_leader(f->world);
    const struct store *store = ring_store(f->controllers[leader]->ring);
    uint32_t cluster = store_find_cluster(store, STR(SIMCTL_CLUSTER));
    const struct service *v =
        store_service(store, store_find_service(store, cluster, STR("shared")));
    uint64_t now = simworld_now_us(f->world);
    struct buf text;
    buf_init(&text, f->mem, 1u << 16);
    if (v != NULL) { /* What it came to in the end is an answer too. */
        size_t op = hist_begin(&f->hist, FLEET_CLIENTS_MAX, HIST_REGISTER_READ, "shared", 0, now);
        hist_ok(&f->hist, op, (int64_t)v->desired + 1, 0, now);
    }
    f->stats.history += f->hist.n_ops;
    if (lincheck(&f->hist, NULL, &text) == LIN_VIOLATION) {
        fleet_fail(f, "I1: no order explains the answers: %s", buf_cstr(&text));
    }
    buf_close(&text);
    hist_close(&f->hist);
    hist_init(&f->hist, f->mem);
    f->round++;
    if (v != NULL) {
        size_t op = hist_begin(&f->hist, FLEET_CLIENTS_MAX, HIST_REGISTER_WRITE, "shared",
                               (int64_t)v->desired + 1, now);
        hist_ok(&f->hist, op, (int64_t)v->desired + 1, 0, now);
    }
}

/* Every row; digests roll, and say nothing about a row that changed without one. */
static uint64_t rows_hash(const struct store *store)
{
    uint64_t hash = 0;
    for (unsigned kind = 0; kind < KIND_N; kind++) {
        for (uint32_t i = 0; i < store_slots(store, (enum kind)kind); i++) {
            const void *row = store_row(store, (enum kind)kind, i);
            hash = row == NULL ? hash
                               : hash_mix(hash_mix(hash, (uint64_t)kind << 32 | i),
                                          schema_hash(schema_of_kind((uint8_t)kind), row, 3));
        }
    }
    return hash;
}

/* I19: what is old enough is gone from the state. */
static void check_old_rows(struct fleet *f, const struct store *store)
{
    int64_t now = store_meta(store)->now;
    for (uint32_t i = 0; i < store_slots(store, KIND_TASK); i++) {
        const struct task *t = store_task(store, i);
        if (t != NULL && t->status == TASK_STOPPED &&
            now > t->stopped_at + LIMIT_STOPPED_LIFE_MS + OLD_SLACK_MS) {
            fleet_fail(f, "I19: a task that stopped %lld s ago is still kept",
                       (long long)(now - t->stopped_at) / 1000);
        }
    }
    for (uint32_t i = 0; i < store_slots(store, KIND_TOKEN); i++) {
        const struct token *t = store_token(store, i);
        if (t != NULL && now > t->expires_at + OLD_SLACK_MS) {
            fleet_fail(f, "I19: a token that ended %lld s ago is still kept",
                       (long long)(now - t->expires_at) / 1000);
        }
    }
}

void fleet_compare(struct fleet *f)
{
    unsigned leader = (unsigned)simworld_leader(f->world);
    const struct meta *first = store_meta(ring_store(f->controllers[leader]->ring));
    uint64_t rows = rows_hash(ring_store(f->controllers[leader]->ring));
    struct err err = {0};
    for (unsigned i = 0; i < f->opt.world.n; i++) {
        const struct store *store = ring_store(f->controllers[i]->ring);
        const struct meta *m = store_meta(store);
        if (!simworld_counts(f->world, i)) {
            continue;
        }
        if (m->revision != first->revision || m->digest != first->digest ||
            rows_hash(store) != rows) {
            fleet_fail(f, "I2: controllers %u and %u differ in the end", leader + 1, i + 1);
        }
        if (store_check(store, &err) != 0) {
            fleet_fail(f, "controller %u: %s", i + 1, err.text);
        }
    }
    check_old_rows(f, ring_store(f->controllers[leader]->ring));
    simworld_check_end(f->world);
    for (unsigned i = 0; i < f->opt.n_clients; i++) {
        simclient_compare(f->clients[i]);
    }
}

bool fleet_is_busy(const struct fleet *f)
{
    const struct fleet_stats *s = &f->stats;
    return s->acked >= 20 && s->tasks_run >= 5 && s->sessions >= f->opt.n_agents &&
           s->containers >= s->tasks_run / 2 && s->services + s->runs > 0;
}

void fleet_check_busy(struct fleet *f)
{
    if (!fleet_is_busy(f)) {
        fleet_fail(f, "too little happened: %llu acknowledged, %llu tasks ran",
                   (unsigned long long)f->stats.acked, (unsigned long long)f->stats.tasks_run);
    }
}
