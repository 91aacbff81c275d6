/* What each node was told is one byte per task; what it is still to be told waits in the queue of
 * its session, by slot, and is looked up when its turn comes, so that a task that changes twice is
 * told once. Reports wait in units, one per message, until the command that carries them was
 * applied; a session whose stream ended lives on until its units are done. */
#include "controller/core/dispatch.h"

#include "common/base/buggify.h"
#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/base/plant.h"
#include "controller/core/schema.h"
#include "controller/core/table.h"

#include <assert.h>
#include <string.h>

enum told { TOLD_NOTHING = 0, TOLD_RUN = 1, TOLD_STOP = 2 };

struct known { /* Of one task, by its slot. */
    uint8_t told : 2;
    uint8_t queued : 1; /* In the queue of its node's session. */
    uint8_t seen : 1;   /* In the inventory that is being read. */
};

struct fifo {
    char *v;
    size_t size; /* Of an element. */
    uint32_t head;
    uint32_t n; /* From the head. */
    uint32_t cap;
};

struct suspect { /* A task that is on the node and should not be. */
    struct id task;
    int64_t since_ms;
    uint8_t why;    /* enum dispatch_orphan_why */
    bool confirmed; /* For long enough to be an orphan. */
};

struct dispatch_session {
    uint32_t node;
    struct id id;
    uint64_t session;
    void *data;
    int64_t heard_at;
    const char *closing; /* Why it is to close. */
    bool close_told;
    bool gone; /* dispatch_disconnect() was called. */
    bool full_done;
    bool ack_due;
    uint64_t reported; /* Number of the last reports message, */
    uint64_t ack;      /* and of the last one to acknowledge. */
    uint64_t sent;     /* Likewise of assignments. */
    uint64_t acked;
    uint32_t n_units;         /* Reports of it that wait or are in flight. */
    struct fifo tasks;        /* Slots to tell. */
    struct fifo strays;       /* Ids that are on the node and should not be. */
    struct fifo forgets;      /* Ids. */
    struct suspect *suspects; /* Of the last census: held, and not what the state says. */
    uint32_t n_suspects;
    struct list all;
    struct list ready;
    struct heap_node silence;
};

struct unit { /* One message of reports. */
    struct list link;
    struct dispatch_session *session; /* NULL for what the dispatcher says itself. */
    uint64_t number;
    struct cmd_task_reports reports;
    uint32_t n; /* Of reports, also after they were freed. */
};

struct down { /* A stream that ended. */
    struct list link;
    struct id id;
    uint64_t session;
};

struct dispatch_node {
    struct dispatch_session *live;
};

struct dispatch {
    const struct mem *mem;
    const struct store *store;
    struct dispatch_settings settings;
    struct table nodes; /* struct dispatch_node, by node slot. */
    struct known *known;
    uint32_t n_known;
    struct list sessions;
    struct list ready;
    struct heap silence;
    struct list waiting; /* Units. */
    struct list taken;
    struct list downs;
    struct list downs_taken;
    bool in_flight;
    bool reports_next; /* Whose turn it is when there is room for one command. */
    struct dispatch_stats stats;
};

/* --- fifo ----------------------------------------------------------------------------------------
 */

static void fifo_push(struct dispatch *d, struct fifo *f, const void *item)
{
    if (f->head > 0 && f->head + f->n == f->cap) {
        memmove(f->v, f->v + f->head * f->size, f->n * f->size);
        f->head = 0;
    }
    if (f->n == f->cap) {
        uint32_t cap = f->cap == 0 ? 16 : 2 * f->cap;
        f->v = mem_resize(d->mem, f->v, f->cap * f->size, cap * f->size);
        f->cap = cap;
    }
    memcpy(f->v + (f->head + f->n) * f->size, item, f->size);
    f->n++;
}

static void fifo_pop(struct fifo *f, void *item)
{
    assert(f->n > 0);
    memcpy(item, f->v + f->head * f->size, f->size);
    f->head++;
    f->n--;
    f->head = f->n == 0 ? 0 : f->head;
}

static void fifo_close(struct dispatch *d, struct fifo *f)
{
    mem_free(d->mem, f->v, f->cap * f->size);
    *f = (struct fifo){.size = f->size};
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct dispatch *dispatch_open(const struct store *store, const struct dispatch_settings *settings,
                               const struct mem *mem)
{
    struct dispatch *d = mem_alloc(mem, sizeof *d);
    assert(settings->tasks_max > 0 && settings->window > 0 && settings->reports_max > 0);
    d->mem = mem;
    d->store = store;
    d->settings = *settings;
    d->settings.window = BUGGIFY(DISPATCH_NARROW) ? 1 : settings->window;
    table_init(&d->nodes, sizeof(struct dispatch_node), mem);
    list_init(&d->sessions);
    list_init(&d->ready);
    list_init(&d->waiting);
    list_init(&d->taken);
    list_init(&d->downs);
    list_init(&d->downs_taken);
    heap_init(&d->silence, mem);
    return d;
}

static void unit_free(struct dispatch *d, struct unit *u)
{
    list_remove(&u->link);
    schema_free(schema_of_command(CMD_TASK_REPORTS), &u->reports, d->mem);
    mem_free(d->mem, u, sizeof *u);
}

static void session_free(struct dispatch *d, struct dispatch_session *s)
{
    list_remove(&s->all);
    list_remove(&s->ready);
    heap_remove(&d->silence, &s->silence);
    fifo_close(d, &s->tasks);
    fifo_close(d, &s->strays);
    fifo_close(d, &s->forgets);
    mem_free(d->mem, s->suspects, s->n_suspects * sizeof *s->suspects);
    mem_free(d->mem, s, sizeof *s);
}

static void free_units(struct dispatch *d, struct list *head)
{
    while (!list_empty(head)) {
        unit_free(d, container_of(head->next, struct unit, link));
    }
}

static void free_downs(struct dispatch *d, struct list *head)
{
    while (!list_empty(head)) {
        struct down *down = container_of(head->next, struct down, link);
        list_remove(&down->link);
        mem_free(d->mem, down, sizeof *down);
    }
}

void dispatch_close(struct dispatch *d)
{
    if (d == NULL) {
        return;
    }
    free_units(d, &d->waiting);
    free_units(d, &d->taken);
    free_downs(d, &d->downs);
    free_downs(d, &d->downs_taken);
    while (!list_empty(&d->sessions)) {
        session_free(d, container_of(d->sessions.next, struct dispatch_session, all));
    }
    table_close(&d->nodes);
    heap_close(&d->silence);
    mem_free(d->mem, d->known, d->n_known * sizeof *d->known);
    mem_free(d->mem, d, sizeof *d);
}

/* --- what is known and what is due ---------------------------------------------------------------
 */

static struct known *known_of(struct dispatch *d, uint32_t task)
{
    if (task >= d->n_known) {
        uint32_t n = d->n_known == 0 ? 1024 : d->n_known;
        while (n <= task) {
            n *= 2;
        }
        d->known =
            mem_resize(d->mem, d->known, d->n_known * sizeof *d->known, n * sizeof *d->known);
        d->n_known = n;
    }
    return &d->known[task];
}

static struct dispatch_session *live_of(const struct dispatch *d, uint32_t node)
{
    const struct dispatch_node *n = table_row(&d->nodes, node);
    return n == NULL ? NULL : n->live;
}

static bool window_open(const struct dispatch *d, const struct dispatch_session *s)
{
    return s->sent - s->acked < d->settings.window;
}

static bool has_output(const struct dispatch *d, const struct dispatch_session *s)
{
    if (s->gone || s->close_told) {
        return false;
    }
    if (s->closing != NULL || s->ack_due) {
        return true;
    }
    return window_open(d, s) &&
           (!s->full_done || s->tasks.n > 0 || s->strays.n > 0 || s->forgets.n > 0);
}

static void update_ready(struct dispatch *d, struct dispatch_session *s)
{
    bool listed = !list_empty(&s->ready);
    bool due = has_output(d, s);
    if (due && !listed) {
        list_push(&d->ready, &s->ready);
    } else if (!due && listed) {
        list_remove(&s->ready);
    }
}

static void close_session(struct dispatch *d, struct dispatch_session *s, const char *reason)
{
    if (s->closing == NULL) {
        s->closing = reason;
        heap_remove(&d->silence, &s->silence);
        update_ready(d, s);
    }
}

static enum told wanted(const struct task *t)
{
    return t->desired == TASK_STOPPED ? TOLD_STOP : TOLD_RUN;
}

/* The node is to hear of the task, unless it has heard as much already. */
static void queue_task(struct dispatch *d, struct dispatch_session *s, uint32_t slot)
{
    const struct task *t = store_task(d->store, slot);
    struct known *k = known_of(d, slot);
    if (t->status != TASK_STOPPED && !k->queued && k->told < wanted(t)) {
        k->queued = 1;
        fifo_push(d, &s->tasks, &slot);
        update_ready(d, s);
    }
}

/* --- sessions ------------------------------------------------------------------------------------
 */

static struct unit *add_unit(struct dispatch *d, struct dispatch_session *s, uint64_t number,
                             const struct task_report *v, uint32_t n)
{
    struct cmd_task_reports borrowed = {(struct task_report *)(uintptr_t)v, n};
    struct unit *u = mem_alloc(d->mem, sizeof *u);
    schema_copy(schema_of_command(CMD_TASK_REPORTS), &u->reports, &borrowed, d->mem);
    u->session = s;
    u->number = number;
    u->n = n;
    list_push(&d->waiting, &u->link);
    d->stats.n_reports_waiting += n;
    if (s != NULL) {
        s->n_units++;
    }
    return u;
}

/* Is the task over, when its node does not remember it? One that never ran may still begin; but
 * what is from before this epoch may have run and been forgotten in the part that was lost. */
static bool is_over(const struct dispatch *d, const struct task *t)
{
    return t->status > TASK_PENDING || t->created_at < store_meta(d->store)->epoch_at;
}

/* Said to run, and not there: the node lost it, and will not report its end. */
static void report_missing(struct dispatch *d, const struct dispatch_session *s,
                           const struct task *t)
{
    struct task_report report = {
        .id = t->id,
        .node = s->id,
        .session = s->session,
        .status = TASK_STOPPED,
        .stop_code = STOP_INFRASTRUCTURE,
        .reason = STR("The task was gone from its container instance after reconnecting"),
    };
    (void)add_unit(d, NULL, 0, &report, 1);
}

static void read_item(struct dispatch *d, struct dispatch_session *s,
                      const struct dispatch_inventory *item)
{
    uint32_t slot = store_find_task(d->store, item->id);
    const struct task *t = store_task(d->store, slot);
    if (t != NULL && t->node == s->node && t->status != TASK_STOPPED) {
        known_of(d, slot)->seen = 1;
    } else {
        fifo_push(d, item->status == TASK_STOPPED ? &s->forgets : &s->strays, &item->id);
    }
}

/* Compare what the node has with what the state says of it. */
static void read_inventory(struct dispatch *d, struct dispatch_session *s,
                           const struct dispatch_inventory *inventory, uint32_t n)
{
    uint32_t slot = store_node(d->store, s->node)->first_task;
    for (uint32_t i = 0; i < n; i++) {
        read_item(d, s, &inventory[i]);
    }
    while (slot != SLOT_NONE) {
        const struct task *t = store_task(d->store, slot);
        struct known *k = known_of(d, slot);
        bool missing = !k->seen && t->status != TASK_STOPPED && is_over(d, t);
        *k = (struct known){0};
        if (missing) {
            report_missing(d, s, t);
        } else {
            queue_task(d, s, slot);
        }
        slot = t->on_node.next;
    }
}

/* Does the state still know the session? */
static void check_session(struct dispatch *d, struct dispatch_session *s)
{
    const struct node *node = store_node(d->store, s->node);
    if (node == NULL || !id_eq(node->id, s->id) || node->status == NODE_INACTIVE) {
        close_session(d, s, "the container instance was deregistered");
    } else if (node->session != s->session) {
        close_session(d, s, "the container instance registered again");
    } else if (!node->connected) {
        close_session(d, s, "the container instance was given up as lost");
    }
}

struct dispatch_session *dispatch_connect(struct dispatch *d, uint32_t node, uint64_t session,
                                          const struct dispatch_inventory *inventory, uint32_t n,
                                          void *data, int64_t now_ms)
{
    struct dispatch_session *s = mem_alloc(d->mem, sizeof *s);
    struct dispatch_node *at = table_row(&d->nodes, node);
    const struct node *row = store_node(d->store, node);
    at = at == NULL ? table_add(&d->nodes, node) : at;
    s->node = node;
    s->session = session;
    s->data = data;
    s->heard_at = now_ms;
    s->tasks.size = sizeof(uint32_t);
    s->strays.size = sizeof(struct id);
    s->forgets.size = sizeof(struct id);
    list_init(&s->ready);
    list_push(&d->sessions, &s->all);
    d->stats.n_sessions++;
    if (at->live != NULL) {
        close_session(d, at->live, "another session of the container instance took over");
    }
    at->live = s;
    heap_set(&d->silence, &s->silence, (uint64_t)(now_ms + d->settings.silent_ms));
    if (row != NULL) {
        s->id = row->id;
        read_inventory(d, s, inventory, n);
    }
    check_session(d, s);
    update_ready(d, s);
    return s;
}

void dispatch_disconnect(struct dispatch *d, struct dispatch_session *s)
{
    struct dispatch_node *at = table_row(&d->nodes, s->node);
    assert(!s->gone);
    s->gone = true;
    d->stats.n_sessions--;
    list_remove(&s->ready);
    heap_remove(&d->silence, &s->silence);
    if (at != NULL && at->live == s) {
        struct down *down = mem_alloc(d->mem, sizeof *down);
        down->id = s->id;
        down->session = s->session;
        list_push(&d->downs, &down->link);
        table_remove(&d->nodes, s->node);
    }
    if (s->n_units == 0) {
        session_free(d, s);
    }
}

void dispatch_heard(struct dispatch *d, struct dispatch_session *s, int64_t now_ms)
{
    (void)d;
    s->heard_at = s->heard_at < now_ms ? now_ms : s->heard_at; /* The deadline moves when due. */
}

int dispatch_report(struct dispatch *d, struct dispatch_session *s, uint64_t number,
                    const struct task_report *v, uint32_t n, struct err *err)
{
    struct unit *u;
    if (number <= s->reported) {
        return err_set(err, ERR_PROTOCOL, "reports %llu come after %llu",
                       (unsigned long long)number, (unsigned long long)s->reported);
    }
    if ((uint64_t)d->stats.n_reports_waiting + n > d->settings.reports_waiting) {
        return err_set(err, ERR_FULL, "%u reports wait already", d->stats.n_reports_waiting);
    }
    s->reported = number;
    if (PLANTED(REPORT_ACKED_EARLY)) {
        s->ack = number;
        s->ack_due = true;
        update_ready(d, s);
    }
    u = add_unit(d, s, number, v, n);
    for (uint32_t i = 0; i < n; i++) {
        u->reports.v[i].node = s->id;
        u->reports.v[i].session = s->session;
    }
    return 0;
}

int dispatch_ack(struct dispatch *d, struct dispatch_session *s, uint64_t number, struct err *err)
{
    if (number > s->sent) {
        return err_set(err, ERR_PROTOCOL, "assignments %llu were never sent",
                       (unsigned long long)number);
    }
    s->acked = number > s->acked ? number : s->acked;
    update_ready(d, s);
    return 0;
}

/* --- orphans -------------------------------------------------------------------------------------
 */

static bool belongs(const struct dispatch *d, const struct dispatch_session *s, struct id id,
                    uint8_t *ret_why)
{
    const struct task *t = store_task(d->store, store_find_task(d->store, id));
    if (t == NULL) {
        *ret_why = ORPHAN_UNKNOWN;
        return false;
    }
    *ret_why = t->node == s->node ? ORPHAN_STOPPED : ORPHAN_ELSEWHERE;
    return t->node == s->node && t->status != TASK_STOPPED;
}

/* As the census before saw it, or seen for the first time now. */
static struct suspect suspect_of(const struct dispatch_session *s, struct id id, uint8_t why,
                                 int64_t now_ms)
{
    for (uint32_t i = 0; i < s->n_suspects; i++) {
        if (id_eq(s->suspects[i].task, id)) {
            struct suspect known = s->suspects[i];
            known.why = why;
            return known;
        }
    }
    return (struct suspect){.task = id, .since_ms = now_ms, .why = why};
}

static struct dispatch_orphan orphan_of(const struct dispatch_session *s, const struct suspect *p)
{
    return (struct dispatch_orphan){p->task, s->id, s->node, p->why, p->since_ms};
}

/* Those that have been suspects for long enough are orphans from now on. */
static uint32_t confirm(struct dispatch_session *s, int64_t now_ms, struct dispatch_orphan *news,
                        uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_suspects; i++) {
        struct suspect *p = &s->suspects[i];
        if (p->confirmed || now_ms - p->since_ms < DISPATCH_ORPHAN_MS) {
            continue;
        }
        p->confirmed = true;
        if (n < max) {
            news[n++] = orphan_of(s, p);
        }
    }
    return n;
}

uint32_t dispatch_census(struct dispatch *d, struct dispatch_session *s, const struct id *held,
                         uint32_t n, int64_t now_ms, struct dispatch_orphan *news, uint32_t max)
{
    struct suspect *v = NULL;
    uint32_t n_suspects = 0;
    uint32_t k = 0;
    uint8_t why;
    for (uint32_t i = 0; i < n; i++) {
        n_suspects += !belongs(d, s, held[i], &why);
    }
    v = n_suspects == 0 ? NULL : mem_alloc(d->mem, n_suspects * sizeof *v);
    for (uint32_t i = 0; i < n && n_suspects > 0; i++) {
        if (!belongs(d, s, held[i], &why)) {
            v[k++] = suspect_of(s, held[i], why, now_ms);
        }
    }
    mem_free(d->mem, s->suspects, s->n_suspects * sizeof *s->suspects);
    s->suspects = v;
    s->n_suspects = n_suspects;
    return confirm(s, now_ms, news, max);
}

uint32_t dispatch_orphans(const struct dispatch *d, struct dispatch_orphan *v, uint32_t max)
{
    const struct list *it;
    uint32_t n = 0;
    for (it = d->sessions.next; it != &d->sessions; it = it->next) {
        const struct dispatch_session *s = container_of(it, struct dispatch_session, all);
        for (uint32_t i = 0; i < s->n_suspects && !s->gone; i++) {
            const struct suspect *p = &s->suspects[i];
            if (p->confirmed && n < max) {
                v[n] = orphan_of(s, p);
            }
            n += p->confirmed;
        }
    }
    return n;
}

/* --- from the state ------------------------------------------------------------------------------
 */

static void task_changed(struct dispatch *d, uint32_t slot)
{
    const struct task *t = store_task(d->store, slot);
    struct dispatch_session *s;
    if (t == NULL) {
        *known_of(d, slot) = (struct known){0};
        return;
    }
    s = live_of(d, PLANTED(WRONG_NODE) && t->id.lo % 16 == 0 ? t->node ^ 1 : t->node);
    if (s != NULL && s->closing == NULL) {
        queue_task(d, s, slot);
    }
}

void dispatch_changed(struct dispatch *d, const struct changes *changes)
{
    for (uint32_t i = 0; i < changes->n; i++) {
        const struct change *c = &changes->v[i];
        if (c->kind == KIND_TASK) {
            task_changed(d, c->slot);
        } else if (c->kind == KIND_NODE) {
            struct dispatch_session *s = live_of(d, c->slot);
            if (s != NULL) {
                check_session(d, s);
            }
        }
    }
}

bool dispatch_dirty(const struct dispatch *d, int64_t now_ms, int64_t *ret_deadline_ms)
{
    const struct heap_node *first = heap_first(&d->silence);
    *ret_deadline_ms = first == NULL ? INT64_MAX : (int64_t)first->key;
    return !list_empty(&d->ready) || *ret_deadline_ms <= now_ms ||
           (!d->in_flight && (!list_empty(&d->waiting) || !list_empty(&d->downs)));
}

/* --- to the agents ------------------------------------------------------------------------------
 */

static void close_silent(struct dispatch *d, int64_t now_ms)
{
    for (;;) {
        struct heap_node *first = heap_first(&d->silence);
        struct dispatch_session *s;
        int64_t deadline;
        if (first == NULL || (int64_t)first->key > now_ms) {
            return;
        }
        s = container_of(first, struct dispatch_session, silence);
        deadline = s->heard_at + d->settings.silent_ms;
        if (deadline > now_ms) {
            heap_set(&d->silence, first, (uint64_t)deadline);
        } else {
            close_session(d, s, "nothing was heard of the container instance");
        }
    }
}

/* The next task to tell the node of; false when what was queued needs no telling any more. */
static bool next_task(struct dispatch *d, struct dispatch_session *s, struct dispatch_task *ret)
{
    const struct task *t;
    struct known *k;
    uint32_t slot;
    fifo_pop(&s->tasks, &slot);
    t = store_task(d->store, slot);
    if (t == NULL || (t->node != s->node && !PLANTED(WRONG_NODE))) {
        return false; /* The slot is somebody else's by now, and so is what is known of it. */
    }
    k = known_of(d, slot);
    if (PLANTED(STOP_FORGOTTEN) && !s->full_done && wanted(t) == TOLD_STOP) {
        k->told = TOLD_STOP;
    }
    k->queued = 0;
    if (t->status == TASK_STOPPED || k->told >= wanted(t)) {
        return false;
    }
    k->told = (uint8_t)(wanted(t) & 3);
    *ret = (struct dispatch_task){t->id, slot, wanted(t) == TOLD_STOP, t->stop_reason};
    return true;
}

static void fill_tasks(struct dispatch *d, struct dispatch_session *s, struct dispatch_out *out,
                       struct arena *arena)
{
    uint32_t max = BUGGIFY(DISPATCH_ONE_TASK) ? 1 : d->settings.tasks_max;
    uint32_t n = s->strays.n + s->tasks.n;
    out->tasks = arena_array(arena, n < max ? n : max, sizeof *out->tasks);
    while (out->n_tasks < max && s->strays.n > 0) {
        struct dispatch_task *t = &out->tasks[out->n_tasks];
        fifo_pop(&s->strays, &t->id);
        t->slot = SLOT_NONE;
        t->stop = true;
        t->reason = STR("The task does not belong on this container instance any more");
        out->n_tasks++;
    }
    while (out->n_tasks < max && s->tasks.n > 0) {
        out->n_tasks += next_task(d, s, &out->tasks[out->n_tasks]);
    }
    d->stats.n_assignments += out->n_tasks;
}

static void fill_forgets(struct dispatch *d, struct dispatch_session *s, struct dispatch_out *out,
                         struct arena *arena)
{
    uint32_t max = BUGGIFY(DISPATCH_ONE_FORGET) ? 1 : d->settings.tasks_max;
    uint32_t n = s->forgets.n < max ? s->forgets.n : max;
    out->forget = arena_array(arena, n, sizeof *out->forget);
    while (out->n_forget < n) {
        fifo_pop(&s->forgets, &out->forget[out->n_forget]);
        out->n_forget++;
    }
}

/* False when what was queued came to nothing. */
static bool make_assignment(struct dispatch *d, struct dispatch_session *s,
                            struct dispatch_out *out, struct arena *arena)
{
    out->kind = DISPATCH_ASSIGN;
    fill_tasks(d, s, out, arena);
    fill_forgets(d, s, out, arena);
    if (!s->full_done) {
        out->full = true;
        out->full_end = s->tasks.n == 0 && s->strays.n == 0;
        s->full_done = out->full_end;
    } else if (out->n_tasks == 0 && out->n_forget == 0) {
        return false;
    }
    s->sent++;
    out->number = s->sent;
    return true;
}

static bool make_output(struct dispatch *d, struct dispatch_session *s, struct dispatch_out *out,
                        struct arena *arena)
{
    *out = (struct dispatch_out){.session = s, .data = s->data};
    if (s->closing != NULL) {
        out->kind = DISPATCH_CLOSE;
        out->reason = s->closing;
        s->close_told = true;
        return true;
    }
    if (s->ack_due) {
        out->kind = DISPATCH_REPORTS_ACK;
        out->number = s->ack;
        s->ack_due = false;
        return true;
    }
    return make_assignment(d, s, out, arena);
}

/* --- reports that are done with
 * -------------------------------------------------------------------
 */

/* Can the report change anything? What the state knows already need not be in the log. */
static bool matters(const struct dispatch *d, const struct task_report *p)
{
    const struct task *t = store_task(d->store, store_find_task(d->store, p->id));
    const struct node *node = t == NULL ? NULL : store_node(d->store, t->node);
    return node != NULL && (t->status != TASK_STOPPED || PLANTED(RESURRECTION)) &&
           id_eq(node->id, p->node) && node->session == p->session;
}

/* The state knows what the unit says: tell the session, and let it forget the tasks that ended. */
static void finish_unit(struct dispatch *d, struct unit *u)
{
    struct dispatch_session *s = u->session;
    d->stats.n_reports_waiting -= u->n;
    if (s != NULL) {
        s->n_units--;
        if (s->gone) {
            if (s->n_units == 0) {
                session_free(d, s);
            }
            s = NULL;
        }
    }
    for (uint32_t i = 0; s != NULL && i < u->n; i++) {
        const struct task_report *p = &u->reports.v[i];
        const struct task *t = store_task(d->store, store_find_task(d->store, p->id));
        if (p->status == TASK_STOPPED && (t == NULL || t->status == TASK_STOPPED)) {
            fifo_push(d, &s->forgets, &p->id);
        }
    }
    if (s != NULL) {
        s->ack = u->number;
        s->ack_due = true;
        update_ready(d, s);
    }
    unit_free(d, u);
}

static bool unit_matters(const struct dispatch *d, const struct unit *u)
{
    for (uint32_t i = 0; i < u->n; i++) {
        if (matters(d, &u->reports.v[i])) {
            return true;
        }
    }
    return false;
}

/* Acknowledge what needs no command. In order: only while nothing before it is under way. */
static void finish_idle(struct dispatch *d)
{
    while (list_empty(&d->taken) && !list_empty(&d->waiting)) {
        struct unit *u = container_of(d->waiting.next, struct unit, link);
        if (unit_matters(d, u)) {
            return;
        }
        finish_unit(d, u);
    }
}

/* --- outputs
 * ---------------------------------------------------------------------------------------
 */

uint32_t dispatch_step(struct dispatch *d, int64_t now_ms, struct dispatch_out *out, uint32_t n_max,
                       struct arena *arena)
{
    uint32_t n = 0;
    close_silent(d, now_ms);
    finish_idle(d);
    while (n < n_max && !list_empty(&d->ready)) {
        struct dispatch_session *s = container_of(d->ready.next, struct dispatch_session, ready);
        n += make_output(d, s, &out[n], arena);
        list_remove(&s->ready);
        update_ready(d, s);
    }
    return n;
}

/* --- to the log ----------------------------------------------------------------------------------
 */

static uint32_t count_room(const struct dispatch *d)
{
    const struct list *it;
    uint32_t n = 0;
    for (it = d->waiting.next; it != &d->waiting; it = it->next) {
        const struct unit *u = container_of(it, struct unit, link);
        if (n > 0 && (n + u->n > d->settings.reports_max || BUGGIFY(DISPATCH_ONE_REPORT))) {
            break;
        }
        n += u->n;
    }
    return n;
}

/* Whole units, the oldest first, at least one; false when there is nothing new to say. */
static bool take_reports(struct dispatch *d, struct command *cmd, struct arena *arena)
{
    struct task_report *v;
    uint32_t room;
    uint32_t seen = 0;
    uint32_t n = 0;
    finish_idle(d);
    room = count_room(d);
    v = arena_array(arena, room, sizeof *v);
    while (!list_empty(&d->waiting)) {
        struct unit *u = container_of(d->waiting.next, struct unit, link);
        if (seen + u->n > room) {
            break;
        }
        seen += u->n;
        for (uint32_t i = 0; i < u->n; i++) {
            if (matters(d, &u->reports.v[i])) {
                v[n] = u->reports.v[i];
                n++;
            }
        }
        list_remove(&u->link);
        list_push(&d->taken, &u->link);
    }
    *cmd = (struct command){.kind = CMD_TASK_REPORTS};
    cmd->u.reports = (struct cmd_task_reports){v, n};
    d->stats.n_reports += n;
    return n > 0;
}

/* False when the node is back already, or known to be gone. */
static bool take_down(struct dispatch *d, struct command *cmd)
{
    struct down *down = container_of(d->downs.next, struct down, link);
    const struct node *node = store_node(d->store, store_find_node(d->store, down->id));
    list_remove(&down->link);
    if (node == NULL || node->session != down->session || !node->connected) {
        mem_free(d->mem, down, sizeof *down);
        return false;
    }
    list_push(&d->downs_taken, &down->link);
    *cmd = (struct command){.kind = CMD_NODE_CONNECTION};
    cmd->u.connection = (struct cmd_node_connection){down->id, down->session, CONNECTION_DOWN};
    return true;
}

static void finish_taken(struct dispatch *d)
{
    while (!list_empty(&d->taken)) {
        finish_unit(d, container_of(d->taken.next, struct unit, link));
    }
    free_downs(d, &d->downs_taken);
}

uint32_t dispatch_take(struct dispatch *d, int64_t now_ms, struct command *cmds, uint32_t n_max,
                       struct arena *arena)
{
    uint32_t n = 0;
    (void)now_ms;
    if (d->in_flight || n_max == 0) {
        return 0;
    }
    d->reports_next = !d->reports_next;
    if (d->reports_next) {
        n += take_reports(d, &cmds[0], arena);
    }
    while (n < n_max && !list_empty(&d->downs)) {
        n += take_down(d, &cmds[n]);
    }
    if (n < n_max && list_empty(&d->taken)) {
        n += take_reports(d, &cmds[n], arena);
    }
    d->in_flight = n > 0;
    return n;
}

void dispatch_settle(struct dispatch *d, bool applied)
{
    d->in_flight = false;
    if (applied) {
        finish_taken(d);
        return;
    }
    /* Ahead of what came since, in the old order. */
    list_splice(&d->taken, &d->waiting);
    list_splice(&d->waiting, &d->taken);
    list_splice(&d->downs_taken, &d->downs);
    list_splice(&d->downs, &d->downs_taken);
}

/* --- looking -------------------------------------------------------------------------------------
 */

void dispatch_stats(const struct dispatch *d, struct dispatch_stats *ret)
{
    *ret = d->stats;
}

struct dispatch_session *dispatch_find(const struct dispatch *d, uint32_t node)
{
    return live_of(d, node);
}

void *dispatch_data(const struct dispatch_session *session)
{
    return session->data;
}
