/* One agent of the fleet. What it was told is kept in memory only: an agent here never restarts, it
 * only falls silent. */
#include "tests/bench/fleet/fleet.h"

#include "agent/core/limits.h"
#include "agent/link/message.h"
#include "common/base/hash.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --- its tasks ------------------------------------------------------------------------------- */

static uint64_t hash_of(struct id id)
{
    return hash_mix(id.hi, id.lo);
}

static bool is_task(const void *ctx, uint32_t value, const void *key)
{
    const struct fleet_agent *a = ctx;
    return id_eq(a->tasks[value]->id, *(const struct id *)key);
}

static struct fleet_task *find(const struct fleet_agent *a, struct id id)
{
    uint32_t at = map_get(&a->by_id, hash_of(id), is_task, a, &id);
    return at == MAP_NONE ? NULL : a->tasks[at];
}

static struct fleet_task *add(struct fleet_agent *a, struct id id)
{
    struct fleet_task *t = mem_alloc(sysmem(), sizeof *t);
    if (a->n_tasks == a->cap_tasks) {
        uint32_t cap = a->cap_tasks == 0 ? 64 : a->cap_tasks * 2;
        a->tasks =
            mem_resize(sysmem(), a->tasks, a->cap_tasks * sizeof *a->tasks, cap * sizeof *a->tasks);
        a->cap_tasks = cap;
    }
    t->id = id;
    t->agent = a;
    t->status = WIRE_PENDING;
    report_item_init(&t->report);
    a->tasks[a->n_tasks] = t;
    map_put(&a->by_id, hash_of(id), a->n_tasks++);
    return t;
}

static void set_status(struct fleet_task *t, enum wire_status status)
{
    struct fleet_agent *a = t->agent;
    uint32_t before = t->status == WIRE_RUNNING;
    uint32_t after = status == WIRE_RUNNING;
    t->status = (uint8_t)status;
    a->n_running += after - before;
    a->fleet->counts.running += (uint64_t)after - before;
}

/* The last one moves into its place. */
static void drop(struct fleet_task *t)
{
    struct fleet_agent *a = t->agent;
    uint32_t at = map_get(&a->by_id, hash_of(t->id), is_task, a, &t->id);
    assert(at != MAP_NONE);
    set_status(t, WIRE_STOPPED);
    heap_remove(&a->fleet->due, &t->due);
    report_drop(&t->report);
    map_remove(&a->by_id, hash_of(t->id), at);
    if (at != --a->n_tasks) {
        struct fleet_task *last = a->tasks[a->n_tasks];
        map_remove(&a->by_id, hash_of(last->id), a->n_tasks);
        a->tasks[at] = last;
        map_put(&a->by_id, hash_of(last->id), at);
    }
    mem_free(sysmem(), t, sizeof *t);
}

static void tell(struct fleet_task *t)
{
    struct fleet_agent *a = t->agent;
    report_mark(&a->reports, &t->report);
    if (list_empty(&a->link)) {
        list_push(&a->fleet->speakers, &a->link);
    }
}

/* --- what happens to them -------------------------------------------------------------------- */

static void wait_ms(struct fleet_task *t, uint64_t ms)
{
    struct fleet *f = t->agent->fleet;
    heap_set(&f->due, &t->due, f->now_ms + ms);
}

static void begin(struct fleet_task *t)
{
    struct fleet *f = t->agent->fleet;
    const struct fleet_config *c = &f->config;
    f->counts.assigned++;
    t->fails = prng_below(&f->prng, 1000) < c->fail_permille;
    wait_ms(t, c->start_min_ms + prng_below(&f->prng, c->start_max_ms - c->start_min_ms + 1));
}

static void end(struct fleet_task *t, int32_t exit_code)
{
    t->exit_code = exit_code;
    t->stopped_at = (int64_t)clock_wall_ms();
    heap_remove(&t->agent->fleet->due, &t->due);
    set_status(t, WIRE_STOPPED);
    t->agent->fleet->counts.stopped++;
    tell(t);
}

static void order_stop(struct fleet_task *t)
{
    if (t->status == WIRE_STOPPED) {
        tell(t); /* It was not heard. */
    } else if (!t->stopping) {
        t->stopping = true;
        wait_ms(t, t->agent->fleet->config.stop_ms);
    }
}

void fleet_task_due(struct fleet_task *t)
{
    struct fleet *f = t->agent->fleet;
    heap_remove(&f->due, &t->due);
    if (t->stopping) {
        end(t, 143);
    } else if (t->status == WIRE_RUNNING) {
        end(t, 0);
    } else if (t->fails) {
        f->counts.failed++;
        end(t, 1);
    } else {
        t->started_at = (int64_t)clock_wall_ms();
        set_status(t, WIRE_RUNNING);
        tell(t);
        if (f->config.lifetime_ms > 0) {
            wait_ms(t, 1 + prng_below(&f->prng, 2 * f->config.lifetime_ms));
        }
    }
}

/* --- what it says ---------------------------------------------------------------------------- */

static void describe(const struct fleet_task *t, struct arena *arena, struct task_report *ret)
{
    struct container_report *c = arena_alloc(arena, sizeof *c);
    char hex[ID_HEX_LEN + 1];
    id_hex(t->id, hex);
    *c = (struct container_report){.status = WIRE_CONTAINER_PENDING, .reason = ""};
    c->image_digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    c->runtime_id = t->started_at == 0 ? "" : arena_printf(arena, "%s-main", hex);
    *ret = (struct task_report){.task = t->id,
                                .status = (enum wire_status)t->status,
                                .reason = "",
                                .started_at = t->started_at,
                                .stopped_at = t->stopped_at,
                                .containers = c,
                                .n_containers = 1};
    if (t->status == WIRE_RUNNING) {
        c->status = WIRE_CONTAINER_RUNNING;
    } else if (t->status == WIRE_STOPPED) {
        c->status = WIRE_CONTAINER_STOPPED;
        c->has_exit_code = true;
        c->exit_code = t->exit_code;
        ret->stop_code =
            t->started_at == 0 ? WIRE_STOP_FAILED_TO_START : WIRE_STOP_ESSENTIAL_EXITED;
        ret->reason = t->started_at == 0 ? "Task failed to start" : "Essential container exited";
    }
}

void fleet_agent_speak(struct fleet_agent *a)
{
    struct report_item *items[LIMIT_REPORT_TASKS];
    struct task_report tasks[LIMIT_REPORT_TASKS];
    struct reports reports;
    struct agent_message m = {.reports = &reports};
    struct arena arena;
    size_t n;
    if (!a->up || !report_ready(&a->reports)) {
        return;
    }
    arena_init(&arena, sysmem());
    n = report_take(&a->reports, LIMIT_REPORT_TASKS, items);
    for (size_t i = 0; i < n; i++) {
        describe(container_of(items[i], struct fleet_task, report), &arena, &tasks[i]);
    }
    reports = (struct reports){a->reports.number, tasks, (uint32_t)n};
    if (session_send(a->session, &m) == 0) {
        a->fleet->counts.reports++;
    }
    arena_close(&arena);
}

/* --- what it hears --------------------------------------------------------------------------- */

static const char *zone_of(const struct fleet_agent *a, struct arena *arena)
{
    return arena_printf(arena, "zone-%c", (char)('a' + a->number % a->fleet->config.zones));
}

static void on_hello(void *data, struct arena *arena, struct hello *ret)
{
    struct fleet_agent *a = data;
    const struct fleet_config *c = &a->fleet->config;
    struct spec_pair *pairs = arena_array(arena, 2, sizeof *pairs);
    struct inventory_item *items = arena_array(arena, a->n_tasks, sizeof *items);
    uint64_t n = a->number;
    pairs[0] = (struct spec_pair){"ecs.availability-zone", zone_of(a, arena)};
    pairs[1] = (struct spec_pair){
        "ecs.instance-type", arena_printf(arena, "m%u.large", (unsigned)(n / c->zones % c->types))};
    for (uint32_t i = 0; i < a->n_tasks; i++) {
        items[i] = (struct inventory_item){a->tasks[i]->id, (enum wire_status)a->tasks[i]->status};
    }
    *ret = (struct hello){
        .protocol = MESSAGE_PROTOCOL,
        .name = arena_printf(arena, "fleet-%llu", (unsigned long long)n),
        .address = arena_printf(arena, "10.%u.%u.%u", (unsigned)(n >> 16 & 255),
                                (unsigned)(n >> 8 & 255), (unsigned)(n & 255)),
        .cpu = (uint32_t)c->cpu,
        .memory = (uint32_t)c->memory,
        .port_min = 32768,
        .port_max = 60999,
        .attributes = pairs,
        .n_attributes = 2,
        .agent_version = ECS_VERSION,
        .runtime_version = "fleet",
        .tasks = items,
        .n_tasks = a->n_tasks,
        .cluster = c->cluster,
    };
}

static int on_welcome(void *data, const struct welcome *w, uint64_t until_ms)
{
    struct fleet_agent *a = data;
    (void)w;
    (void)until_ms;
    a->up = true;
    a->fleet->counts.up++;
    if (list_empty(&a->link)) {
        list_push(&a->fleet->speakers, &a->link);
    }
    return 0;
}

static void on_down(void *data)
{
    struct fleet_agent *a = data;
    a->up = false;
    a->fleet->counts.up--;
    report_lost(&a->reports);
}

static void on_heartbeat(void *data, struct heartbeat *ret)
{
    struct fleet_agent *a = data;
    ret->tasks_running = a->n_running;
    ret->cpu_used = a->n_running * 2;
    ret->memory_used = a->n_running * 4;
}

static void on_lease(void *data, uint64_t until_ms)
{
    (void)data;
    (void)until_ms;
}

/* What is not in the full list is not wanted any more. */
static void prune(struct fleet_agent *a)
{
    for (uint32_t i = a->n_tasks; i-- > 0;) {
        struct fleet_task *t = a->tasks[i];
        if (!t->seen) {
            drop(t);
        } else {
            t->seen = false;
        }
    }
}

static void take(struct fleet_agent *a, const struct assignment *from)
{
    struct fleet_task *t = find(a, from->task);
    if (t == NULL) {
        t = add(a, from->task);
        if (from->stop) {
            t->stopping = true;
            end(t, 0); /* It never was here. */
        } else {
            begin(t);
        }
    } else if (from->stop) {
        order_stop(t);
    }
    t->seen = true;
}

static void on_assignments(void *data, const struct assignments *m)
{
    struct fleet_agent *a = data;
    const struct numbered ack = {m->number};
    const struct agent_message reply = {.assignments_ack = &ack};
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        take(a, &m->tasks[i]);
    }
    for (uint32_t i = 0; i < m->n_forget; i++) {
        struct fleet_task *t = find(a, m->forget[i]);
        if (t != NULL) {
            drop(t);
        }
    }
    if (m->full_end) {
        prune(a);
    }
    (void)session_send(a->session, &reply);
}

static void on_reports_ack(void *data, uint64_t number)
{
    struct fleet_agent *a = data;
    report_acked(&a->reports, number);
    if (report_ready(&a->reports) && list_empty(&a->link)) {
        list_push(&a->fleet->speakers, &a->link);
    }
}

static void on_log_request(void *data, const struct log_request *r)
{
    struct fleet_agent *a = data;
    const struct log_chunk chunk = {.request = r->request, .end = true, .error = "no logs here"};
    const struct agent_message m = {.log_chunk = &chunk};
    (void)session_send(a->session, &m);
}

static void on_log_cancel(void *data, uint64_t request)
{
    (void)data;
    (void)request;
}

static void on_log_pause(void *data, uint64_t request, bool pause)
{
    (void)data;
    (void)request;
    (void)pause;
}

static void on_writable(void *data)
{
    (void)data;
}

static const struct session_events events = {
    .hello = on_hello,
    .welcome = on_welcome,
    .heartbeat = on_heartbeat,
    .lease = on_lease,
    .assignments = on_assignments,
    .reports_ack = on_reports_ack,
    .log_request = on_log_request,
    .log_cancel = on_log_cancel,
    .log_pause = on_log_pause,
    .writable = on_writable,
    .down = on_down,
};

/* --- life ------------------------------------------------------------------------------------ */

static int connect_now(struct fleet_agent *a, struct err *err)
{
    const struct fleet *f = a->fleet;
    const struct session_options options = {
        .controllers = f->config.controllers.items,
        .n_controllers = f->config.controllers.n,
        .tls = a->tls,
        .seed = f->config.seed + a->number,
    };
    return session_open(&a->fleet->loop, &options, &events, a, &a->session, err);
}

int fleet_agent_open(struct fleet_agent *a, struct fleet *fleet, uint64_t number, struct err *err)
{
    int rv;
    a->fleet = fleet;
    a->number = number;
    a->id = id_derive(fleet->config.seed, number, 0);
    list_init(&a->link);
    report_init(&a->reports);
    map_init(&a->by_id, sysmem());
    rv = fleet_papers_issue(&fleet->papers, a->id, &a->tls, err);
    return rv == 0 ? connect_now(a, err) : rv;
}

void fleet_agent_close(struct fleet_agent *a)
{
    if (a->fleet == NULL) {
        return;
    }
    session_close(a->session);
    while (a->n_tasks > 0) {
        drop(a->tasks[a->n_tasks - 1]);
    }
    list_remove(&a->link);
    mem_free(sysmem(), a->tasks, a->cap_tasks * sizeof *a->tasks);
    map_close(&a->by_id);
    tls_context_close(a->tls);
    memset(a, 0, sizeof *a);
}

void fleet_agent_cut(struct fleet_agent *a, uint64_t until_ms)
{
    if (a->session == NULL) {
        return;
    }
    session_close(a->session);
    a->session = NULL;
    a->back_ms = until_ms;
    a->fleet->counts.outages++;
    if (a->up) {
        on_down(a);
    }
}

int fleet_agent_return(struct fleet_agent *a, struct err *err)
{
    a->back_ms = 0;
    return connect_now(a, err);
}
