#include "controller/core/audit.h"

#include "controller/core/store_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROTOS     2u
#define PORTS      65536u
#define PORT_WORDS (PORTS / 64u)

/* Tables in the order of a round. */
static const uint8_t order[] = {KIND_CLUSTER, KIND_TASKDEF, KIND_FAMILY,
                                KIND_SERVICE, KIND_NODE,    KIND_TASK,
                                KIND_TOKEN,   KIND_JOIN,    KIND_CAPACITY_PROVIDER};

struct findings {
    struct audit_finding v[AUDIT_FINDINGS_MAX];
    uint32_t n;
    uint64_t n_found[AUDIT_N];
};

/* A service above its bound; a finding only when the next round meets it unchanged, because the
 * leader needs a moment to stop what is too much. */
struct suspect {
    uint32_t slot;
    uint32_t n_wanted;
    uint32_t bound;
};

struct audit {
    const struct mem *mem;
    audit_cb cb;
    void *ctx;
    uint64_t round_ms;
    bool running;
    bool hurry;
    uint64_t began_ms;
    unsigned table; /* Position in order. */
    uint32_t slot;
    struct findings findings[2]; /* Of the round that runs, and of the last complete one. */
    unsigned now;                /* Which is which. */
    struct suspect suspects[2][AUDIT_SUSPECTS_MAX];
    uint32_t n_suspects[2];
    struct audit_status status;
    uint64_t ports[PROTOS][PORT_WORDS]; /* Of the node looked at; zeros in between. */
};

const char *audit_rule_name(enum audit_rule rule)
{
    switch (rule) {
    case AUDIT_OVERCOMMIT:
        return "overcommit";
    case AUDIT_PORT:
        return "port";
    case AUDIT_REFERENCE:
        return "reference";
    case AUDIT_INDEX:
        return "index";
    case AUDIT_COUNTER:
        return "counter";
    case AUDIT_DEPLOYMENT:
        return "deployment";
    case AUDIT_ORPHAN:
        return "orphan";
    case AUDIT_N:
        break;
    }
    return "?";
}

struct audit *audit_open(uint64_t round_ms, audit_cb cb, void *ctx, const struct mem *mem)
{
    struct audit *a = mem_alloc(mem, sizeof *a);
    a->mem = mem;
    a->cb = cb;
    a->ctx = ctx;
    a->round_ms = round_ms;
    a->hurry = true;
    return a;
}

void audit_close(struct audit *a)
{
    if (a != NULL) {
        mem_free(a->mem, a, sizeof *a);
    }
}

/* --- findings -------------------------------------------------------------------------------- */

static bool known_before(const struct audit *a, uint8_t rule, uint8_t kind, uint32_t slot)
{
    const struct findings *last = &a->findings[1 - a->now];
    for (uint32_t i = 0; i < last->n; i++) {
        const struct audit_finding *f = &last->v[i];
        if (f->rule == rule && f->kind == kind && f->slot == slot) {
            return true;
        }
    }
    return false;
}

__attribute__((format(printf, 6, 7))) static void found(struct audit *a, const struct store *s,
                                                        enum audit_rule rule, enum kind kind,
                                                        uint32_t slot, const char *fmt, ...)
{
    struct findings *f = &a->findings[a->now];
    struct audit_finding one = {.rule = (uint8_t)rule,
                                .kind = (uint8_t)kind,
                                .slot = slot,
                                .revision = store_meta(s)->revision};
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(one.text, sizeof one.text, fmt, args);
    va_end(args);
    f->n_found[rule]++;
    if (f->n < AUDIT_FINDINGS_MAX) {
        f->v[f->n++] = one;
    }
    if (!known_before(a, one.rule, one.kind, slot)) {
        a->status.n_total++;
        if (a->cb != NULL) {
            a->cb(a->ctx, &one);
        }
    }
}

static void must_be(struct audit *a, const struct store *s, enum kind kind, uint32_t slot,
                    const char *what, uint64_t kept, uint64_t counted)
{
    if (kept != counted) {
        found(a, s, AUDIT_COUNTER, kind, slot, "%s %u: %s is %llu, its rows say %llu",
              schema_of_kind(kind)->name, slot, what, (unsigned long long)kept,
              (unsigned long long)counted);
    }
}

/* --- nodes ----------------------------------------------------------------------------------- */

struct sums {
    uint64_t cpu;
    uint64_t memory;
    uint64_t gpus;
    uint32_t n; /* Tasks in the list. */
};

static bool mark_port(struct audit *a, const struct binding *b, bool set)
{
    uint64_t *word = &a->ports[b->proto % PROTOS][b->host_port / 64];
    uint64_t bit = (uint64_t)1 << b->host_port % 64;
    bool was = (*word & bit) != 0;
    *word = set ? *word | bit : *word & ~bit;
    return was;
}

static void check_binding(struct audit *a, const struct store *s, uint32_t node,
                          const struct binding *b)
{
    static const char *const protos[PROTOS] = {"tcp", "udp"};
    const struct portset *held = node < s->n_ports ? &s->ports[node].held[b->proto % PROTOS] : NULL;
    if (mark_port(a, b, true)) {
        found(a, s, AUDIT_PORT, KIND_NODE, node, "node %u: port %u/%s is given twice", node,
              b->host_port, protos[b->proto % PROTOS]);
    } else if (held == NULL || portset_last_in(held, b->host_port, 1) != b->host_port) {
        found(a, s, AUDIT_PORT, KIND_NODE, node, "node %u: port %u/%s is given and not held", node,
              b->host_port, protos[b->proto % PROTOS]);
    }
}

/* Every binding of a task: check and mark it, or unmark it. */
static void walk_ports(struct audit *a, const struct store *s, const struct task *t, bool check)
{
    for (uint32_t i = 0; i < t->n_containers; i++) {
        for (uint32_t k = 0; k < t->containers[i].n_bindings; k++) {
            const struct binding *b = &t->containers[i].bindings[k];
            if (b->host_port == 0) {
                continue;
            }
            if (check) {
                check_binding(a, s, t->node, b);
            } else {
                (void)mark_port(a, b, false);
            }
        }
    }
}

/* Walk the list of a node; stops at what does not belong there. */
static void sum_tasks(struct audit *a, const struct store *s, uint32_t node, bool check,
                      struct sums *ret)
{
    uint32_t at = store_node(s, node)->first_task;
    uint32_t max = store_count(s, KIND_TASK);
    for (; at != SLOT_NONE && ret->n < max; ret->n++) {
        const struct task *t = store_task(s, at);
        if (t == NULL || t->node != node) {
            if (check) {
                found(a, s, AUDIT_INDEX, KIND_NODE, node,
                      "node %u: its list holds task %u, which is not its own", node, at);
            }
            return;
        }
        if (t->status != TASK_STOPPED) {
            ret->cpu += t->cpu;
            ret->memory += t->memory;
            ret->gpus += t->gpus;
            walk_ports(a, s, t, check);
        }
        at = t->on_node.next;
    }
}

static uint32_t check_node(struct audit *a, const struct store *s, uint32_t slot)
{
    const struct node *n = store_node(s, slot);
    struct sums sums = {0};
    struct sums again = {0};
    sum_tasks(a, s, slot, true, &sums);
    sum_tasks(a, s, slot, false, &again);
    must_be(a, s, KIND_NODE, slot, "cpu_used", n->cpu_used, sums.cpu);
    must_be(a, s, KIND_NODE, slot, "memory_used", n->memory_used, sums.memory);
    must_be(a, s, KIND_NODE, slot, "gpus_used", n->gpus_used, sums.gpus);
    if (n->status != NODE_INACTIVE &&
        (sums.cpu > n->cpu || sums.memory > n->memory || sums.gpus > n->gpus)) {
        found(a, s, AUDIT_OVERCOMMIT, KIND_NODE, slot,
              "node %.*s: cpu %llu of %u, memory %llu of %u, gpus %llu of %u; if it registered "
              "again with less than it had, drain it",
              n->name.n < 48 ? (int)n->name.n : 48, n->name.p, (unsigned long long)sums.cpu, n->cpu,
              (unsigned long long)sums.memory, n->memory, (unsigned long long)sums.gpus, n->gpus);
    }
    if (store_cluster(s, n->cluster) == NULL) {
        found(a, s, AUDIT_REFERENCE, KIND_NODE, slot, "node %u: its cluster is not there", slot);
    }
    return sums.n;
}

/* --- services -------------------------------------------------------------------------------- */

static bool suspected_before(const struct audit *a, const struct suspect *now)
{
    const struct suspect *v = a->suspects[1 - a->now];
    for (uint32_t i = 0; i < a->n_suspects[1 - a->now]; i++) {
        if (v[i].slot == now->slot && v[i].n_wanted == now->n_wanted && v[i].bound == now->bound) {
            return true;
        }
    }
    return false;
}

static void check_bound(struct audit *a, const struct store *s, uint32_t slot, uint32_t n_wanted)
{
    const struct service *v = store_service(s, slot);
    uint64_t bound = ((uint64_t)v->desired * v->max_percent + 99) / 100;
    struct suspect now = {slot, n_wanted, 0};
    bound = bound < v->desired ? v->desired : bound;
    now.bound = (uint32_t)(bound < UINT32_MAX ? bound : UINT32_MAX);
    if (v->status != SERVICE_ACTIVE || v->scheduling != SCHEDULING_REPLICA || n_wanted <= bound) {
        return;
    }
    if (suspected_before(a, &now)) {
        found(a, s, AUDIT_DEPLOYMENT, KIND_SERVICE, slot,
              "service %u: %u tasks are wanted, desired %u and maximum %u %% allow %u", slot,
              n_wanted, v->desired, v->max_percent, now.bound);
    }
    if (a->n_suspects[a->now] < AUDIT_SUSPECTS_MAX) {
        a->suspects[a->now][a->n_suspects[a->now]++] = now;
    }
}

static uint32_t check_service(struct audit *a, const struct store *s, uint32_t slot)
{
    const struct service *v = store_service(s, slot);
    uint32_t max = store_count(s, KIND_TASK);
    uint32_t active = 0;
    uint32_t wanted = 0;
    uint32_t n = 0;
    for (uint32_t at = v->first_task; at != SLOT_NONE && n < max; n++) {
        const struct task *t = store_task(s, at);
        if (t == NULL || t->service != slot) {
            found(a, s, AUDIT_INDEX, KIND_SERVICE, slot,
                  "service %u: its list holds task %u, which is not its own", slot, at);
            return n;
        }
        active += t->status != TASK_STOPPED;
        wanted += t->status != TASK_STOPPED && t->desired == TASK_RUNNING;
        at = t->in_service.next;
    }
    must_be(a, s, KIND_SERVICE, slot, "n_active", v->n_active, active);
    must_be(a, s, KIND_SERVICE, slot, "n_wanted", v->n_wanted, wanted);
    if (store_cluster(s, v->cluster) == NULL ||
        (v->status != SERVICE_INACTIVE && store_taskdef(s, v->primary.taskdef) == NULL)) {
        found(a, s, AUDIT_REFERENCE, KIND_SERVICE, slot,
              "service %u: its cluster or task definition is not there", slot);
    }
    check_bound(a, s, slot, wanted);
    return n;
}

/* --- tasks ----------------------------------------------------------------------------------- */

/* Is the task's neighbour in its node's list really its neighbour? */
static bool is_linked(const struct store *s, uint32_t slot, const struct task *t)
{
    const struct node *node = store_node(s, t->node);
    const struct task *before = store_task(s, t->on_node.prev);
    return t->on_node.prev == SLOT_NONE ? node->first_task == slot
                                        : before != NULL && before->on_node.next == slot;
}

static void check_task(struct audit *a, const struct store *s, uint32_t slot)
{
    const struct task *t = store_task(s, slot);
    const struct node *node = store_node(s, t->node);
    if (node == NULL) {
        found(a, s, AUDIT_REFERENCE, KIND_TASK, slot, "task %u: it has no node", slot);
    } else if (!is_linked(s, slot, t)) {
        found(a, s, AUDIT_INDEX, KIND_TASK, slot, "task %u: it is not in the list of node %u", slot,
              t->node);
    }
    if (store_cluster(s, t->cluster) == NULL || store_taskdef(s, t->taskdef) == NULL ||
        (t->service != SLOT_NONE && store_service(s, t->service) == NULL)) {
        found(a, s, AUDIT_REFERENCE, KIND_TASK, slot,
              "task %u: its cluster, service or task definition is not there", slot);
    }
    if (t->status > TASK_STOPPED || (t->desired != TASK_RUNNING && t->desired != TASK_STOPPED)) {
        found(a, s, AUDIT_REFERENCE, KIND_TASK, slot, "task %u: status %u, desired %u", slot,
              t->status, t->desired);
    }
}

/* --- the round ------------------------------------------------------------------------------- */

/* Check one row; how many rows that meant looking at. */
static uint32_t check_row(struct audit *a, const struct store *s, enum kind kind, uint32_t slot)
{
    const void *row = store_row(s, kind, slot);
    uint32_t n = 1;
    if (row == NULL) {
        return 1;
    }
    if (store_lookup(s, kind, store_key_of(kind, row)) != slot) {
        found(a, s, AUDIT_INDEX, kind, slot, "%s %u: not found by its key",
              schema_of_kind(kind)->name, slot);
    }
    if (kind == KIND_NODE) {
        n += 2 * check_node(a, s, slot);
    } else if (kind == KIND_SERVICE) {
        n += check_service(a, s, slot);
    } else if (kind == KIND_TASK) {
        check_task(a, s, slot);
    }
    return n;
}

static void begin(struct audit *a, uint64_t mono_ms)
{
    a->running = true;
    a->hurry = false;
    a->began_ms = mono_ms;
    a->table = 0;
    a->slot = 0;
    memset(&a->findings[a->now], 0, sizeof a->findings[a->now]);
    a->n_suspects[a->now] = 0;
}

static void end(struct audit *a)
{
    const struct findings *f = &a->findings[a->now];
    a->running = false;
    a->status.n_rounds++;
    memcpy(a->status.n_found, f->n_found, sizeof f->n_found);
    a->status.findings = f->v;
    a->status.n_findings = f->n;
    a->now = 1 - a->now;
}

bool audit_step(struct audit *a, const struct store *s, uint32_t n, uint64_t mono_ms)
{
    uint32_t done = 0;
    if (!a->running) {
        if (!a->hurry && mono_ms < a->began_ms + a->round_ms) {
            return false;
        }
        begin(a, mono_ms);
    }
    while (done < n && a->table < sizeof order) {
        enum kind kind = (enum kind)order[a->table];
        if (a->slot >= store_slots(s, kind)) {
            a->table++;
            a->slot = 0;
            continue;
        }
        done += check_row(a, s, kind, a->slot);
        a->slot++;
    }
    a->status.n_rows += done;
    if (a->table == sizeof order) {
        end(a);
        return false;
    }
    return true;
}

void audit_restart(struct audit *a)
{
    a->running = false;
    a->hurry = true;
}

uint64_t audit_hurry(struct audit *a)
{
    a->hurry = true;
    return a->status.n_rounds + (a->running ? 2 : 1);
}

void audit_status(const struct audit *a, struct audit_status *ret)
{
    *ret = a->status;
}
