/* Requests that take a thread: the loop's side of each. Operations on one container keep their
 * order because a removal waits for the start before it, and the agent's core asks for nothing
 * else at the same time. */
#include "agent/runtime/driver_impl.h"

#include "agent/net/ipam.h"
#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/log/log.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- start
 * ----------------------------------------------------------------------------------------- */

struct start_op {
    struct job job;
    struct driver *d;
    struct track *t;
    struct exec_start *r;
    struct container_start start;
    struct arena arena; /* Links. */
    int pidfd;
    int status;
    struct err err;
};

static void removals_retry(struct driver *d);

static void start_work(struct job *j)
{
    struct start_op *op = j->data;
    op->status = container_start(&op->d->rt, &op->start, &op->err);
    if (op->status == 0) {
        struct shim_state state;
        struct exec_key key = {op->t->task, op->t->name};
        char dir[PATH_MAX];
        if (container_dir(&op->d->rt, key, dir, NULL) == 0 &&
            container_state(dir, &state, NULL) == 0) {
            op->pidfd = container_pidfd(op->start.pid, state.pid_start);
        }
    }
}

static void start_answer(struct start_op *op)
{
    struct exec_start *r = op->r;
    r->status = op->status;
    r->err = op->err;
    r->pid = op->start.pid;
    r->started_at_ms = op->start.started_at_ms;
    r->ip[0] = '\0';
    if (op->start.ip != 0) {
        ip_text(op->start.ip, r->ip);
    }
    r->impl = NULL;
    arena_close(&op->arena);
    free(op);
    r->cb(r);
}

static void start_done(struct job *j)
{
    struct start_op *op = j->data;
    struct driver *d = op->d;
    struct track *t = op->t;
    t->start = NULL;
    if (op->status == 0 && op->start.talk < 0) { /* Canceled before its turn. */
        op->status = err_set(&op->err, ERR_CANCELED, "start: canceled");
    }
    if (op->status != 0) {
        track_free(t);
    } else {
        const struct exec_start *r = op->r;
        const struct container_spec *c = &r->task->containers[r->container];
        t->pid = op->start.pid;
        t->ip = op->start.ip;
        t->stop_signal = op->start.stop_signal;
        t->started_at_ms = op->start.started_at_ms;
        if (r->task->net_mode == NET_MODE_BRIDGE) {
            track_set_ports(t, c->ports, c->n_ports);
        }
        track_run(t, op->start.talk, op->pidfd);
    }
    start_answer(op);
    removals_retry(d);
}

static void start_refused(void *data)
{
    start_answer(data);
}

/* What /etc/hosts says about links: containers of the task that run already. */
static void add_links(struct start_op *op, const struct container_spec *c)
{
    struct spec_host *links = arena_array(&op->arena, c->n_links + 1u, sizeof *links);
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_links; i++) {
        struct exec_key key = {op->r->task->id, c->links[i].container};
        const struct track *t = track_find(op->d, key);
        if (t != NULL && t->state == TRACK_RUNNING && t->ip != 0) {
            char ip[IPAM_TEXT_MAX];
            ip_text(t->ip, ip);
            links[n].ip = arena_strdup(&op->arena, ip);
            links[n].name = c->links[i].alias[0] != '\0' ? c->links[i].alias : key.name;
            n++;
        }
    }
    op->start.links = links;
    op->start.n_links = n;
}

/* A range that no other task here has; all containers of a task share one, and with it their
 * volumes. */
static uint32_t choose_range(const struct driver *d, struct id task)
{
    uint32_t slot = (uint32_t)(hash_mix(task.hi, task.lo) % USERNS_SLOTS);
    for (uint32_t tries = 0; tries < USERNS_SLOTS; tries++) {
        uint32_t base = USERNS_FIRST + (slot + tries) % USERNS_SLOTS * USERNS_SIZE;
        bool taken = false;
        const struct list *it;
        list_each (it, &d->tracks) {
            const struct track *t = container_of(it, struct track, link);
            if (t->uid_base != 0 && id_eq(t->task, task)) {
                return t->uid_base;
            }
            taken = taken || t->uid_base == base;
        }
        if (!taken) {
            return base;
        }
    }
    return USERNS_FIRST; /* More tasks than ranges: beyond what a node can hold. */
}

void ops_start(struct executor *x, struct exec_start *r)
{
    struct driver *d = container_of(x, struct driver, x);
    const struct container_spec *c = &r->task->containers[r->container];
    struct exec_key key = {r->task->id, c->name};
    struct start_op *op = driver_alloc(sizeof *op);
    assert(r->container < r->task->n_containers);
    op->job.data = op;
    op->d = d;
    op->r = r;
    op->pidfd = -1;
    op->start.request = r;
    op->start.talk = -1;
    op->start.canceled = &op->job.canceled;
    arena_init(&op->arena, sysmem());
    r->impl = op;
    if (track_find(d, key) != NULL || d->closing) {
        op->status = err_set(&op->err, d->closing ? ERR_CLOSED : ERR_EXISTS, "container %s: %s",
                             c->name, d->closing ? "the agent stops" : "was started before");
        driver_defer(d, start_refused, op);
        return;
    }
    add_links(op, c);
    op->start.uid_base = choose_range(d, key.task);
    op->t = track_new(d, key);
    op->t->uid_base = op->start.uid_base;
    op->t->start = op;
    op->t->image = r->image;
    op->t->state = TRACK_STARTING;
    jobs_submit(d->jobs, &op->job, start_work, start_done);
}

void ops_cancel_start(struct start_op *op)
{
    job_cancel(&op->job);
}

/* --- withdraw -----------------------------------------------------------------------------------
 */

struct withdraw_op {
    struct job job;
    struct driver *d;
    struct net_endpoint endpoint;
    int status;
    struct err err;
};

static void withdraw_work(struct job *j)
{
    struct withdraw_op *op = j->data;
    op->status = net_withdraw(op->d->rt.net, &op->endpoint, &op->err);
}

static void withdraw_done(struct job *j)
{
    struct withdraw_op *op = j->data;
    if (op->status != 0) {
        log_warn("net.withdraw_failed", log_err(&op->err));
    }
    free((void *)(uintptr_t)op->endpoint.ports);
    free(op);
}

void ops_withdraw(struct track *t)
{
    struct withdraw_op *op;
    if (t->n_ports == 0 || t->d->closing) {
        return;
    }
    op = driver_alloc(sizeof *op);
    op->job.data = op;
    op->d = t->d;
    op->endpoint = (struct net_endpoint){t->ip, t->ports, t->n_ports};
    t->ports = NULL;
    t->n_ports = 0;
    jobs_submit(t->d->quick, &op->job, withdraw_work, withdraw_done);
}

/* --- remove
 * ---------------------------------------------------------------------------------------- */

struct remove_op {
    struct job job;
    struct remove_op *next; /* While it waits. */
    struct driver *d;
    struct exec_remove *r;
    struct id task;
    char *name; /* NULL: the whole task. */
    int status;
    struct err err;
};

static bool concerns(const struct remove_op *op, const struct track *t)
{
    return id_eq(op->task, t->task) && (op->name == NULL || strcmp(op->name, t->name) == 0);
}

static void remove_work(struct job *j)
{
    struct remove_op *op = j->data;
    struct exec_key key = {op->task, op->name};
    op->status = op->name == NULL ? container_remove_task(&op->d->rt, op->task, &op->err)
                                  : container_remove(&op->d->rt, key, &op->err);
}

static void remove_answer(struct remove_op *op)
{
    struct exec_remove *r = op->r;
    r->status = op->status;
    r->err = op->err;
    r->impl = NULL;
    free(op->name);
    free(op);
    r->cb(r);
}

/* We killed it, and its state file may be gone before its end was heard. */
static void end_removed(struct track *t)
{
    struct shim_state killed = {.phase = SHIM_PHASE_EXITED,
                                .exit_code = 128 + 9,
                                .signal = 9,
                                .finished_at_ms = clock_wall_ms()};
    track_end(t, &killed);
}

static void remove_done(struct job *j)
{
    struct remove_op *op = j->data;
    struct driver *d = op->d;
    struct list *it;
    struct list *after;
    if (job_canceled(j) && op->status == 0) {
        op->status = err_set(&op->err, ERR_CANCELED, "remove: canceled");
    }
    list_each_safe (it, after, &d->tracks) {
        struct track *t = container_of(it, struct track, link);
        if (op->status == 0 && concerns(op, t)) {
            end_removed(t);
            track_free(t);
        }
    }
    remove_answer(op);
}

/* True when a start it must not overtake is still under way; that one is asked to end. */
static bool must_wait(struct remove_op *op)
{
    bool wait = false;
    struct list *it;
    list_each (it, &op->d->tracks) {
        struct track *t = container_of(it, struct track, link);
        if (t->state == TRACK_STARTING && concerns(op, t)) {
            ops_cancel_start(t->start);
            wait = true;
        }
    }
    return wait;
}

static void removals_retry(struct driver *d)
{
    struct remove_op **at = &d->removals;
    while (*at != NULL && !d->closing) {
        struct remove_op *op = *at;
        if (must_wait(op)) {
            at = &op->next;
        } else {
            *at = op->next;
            jobs_submit(d->jobs, &op->job, remove_work, remove_done);
        }
    }
}

static void remove_refused(void *data)
{
    remove_answer(data);
}

void ops_remove(struct executor *x, struct exec_remove *r)
{
    struct driver *d = container_of(x, struct driver, x);
    struct remove_op *op = driver_alloc(sizeof *op);
    op->job.data = op;
    op->d = d;
    op->r = r;
    op->task = r->key.task;
    if (r->key.name != NULL) {
        size_t n = strlen(r->key.name);
        op->name = driver_alloc(n + 1);
        memcpy(op->name, r->key.name, n);
    }
    r->impl = op;
    if (d->closing) {
        op->status = err_set(&op->err, ERR_CLOSED, "remove: the agent stops");
        driver_defer(d, remove_refused, op);
    } else if (must_wait(op)) {
        op->next = d->removals;
        d->removals = op;
    } else {
        jobs_submit(d->jobs, &op->job, remove_work, remove_done);
    }
}

void ops_cancel_removals(struct driver *d)
{
    while (d->removals != NULL) {
        struct remove_op *op = d->removals;
        d->removals = op->next;
        op->status = err_set(&op->err, ERR_CANCELED, "remove: canceled");
        remove_answer(op);
    }
}

/* --- run
 * ------------------------------------------------------------------------------------------- */

struct run_op {
    struct job job;
    struct driver *d;
    struct exec_run *r;
    uint64_t number;
    int pidfd;
    int exit_code;
    int status;
    struct err err;
};

static void run_work(struct job *j)
{
    struct run_op *op = j->data;
    op->status = container_exec(&op->d->rt, op->r, op->pidfd, op->number, &op->job.canceled,
                                &op->exit_code, &op->err);
}

static void run_answer(void *data)
{
    struct run_op *op = data;
    struct exec_run *r = op->r;
    r->status = op->status;
    r->err = op->err;
    r->exit_code = op->exit_code;
    r->impl = NULL;
    if (op->pidfd >= 0) {
        close(op->pidfd);
    }
    free(op);
    r->cb(r);
}

static void run_done(struct job *j)
{
    struct run_op *op = j->data;
    if (job_canceled(j) && op->status == 0) {
        op->status = err_set(&op->err, ERR_CANCELED, "command: canceled");
    }
    run_answer(op);
}

void ops_run(struct executor *x, struct exec_run *r)
{
    struct driver *d = container_of(x, struct driver, x);
    struct track *t = track_find(d, r->key);
    struct run_op *op = driver_alloc(sizeof *op);
    op->job.data = op;
    op->d = d;
    op->r = r;
    op->number = d->next_exec++;
    r->impl = op;
    op->pidfd = t == NULL || t->state != TRACK_RUNNING || d->closing
                    ? -1
                    : fcntl(t->pidfd, F_DUPFD_CLOEXEC, 3);
    if (op->pidfd < 0) {
        op->status = err_set(&op->err, ERR_NOTFOUND, "container %s is not running", r->key.name);
        driver_defer(d, run_answer, op);
        return;
    }
    jobs_submit(d->quick, &op->job, run_work, run_done);
}

/* --- log
 * ------------------------------------------------------------------------------------------- */

struct log_op {
    struct job job;
    struct driver *d;
    struct exec_log *r;
    bool cut;
    int status;
    struct err err;
};

static void log_work(struct job *j)
{
    struct log_op *op = j->data;
    op->status = container_log(&op->d->rt, op->r, &op->cut, &op->err);
}

static void log_answer(void *data)
{
    struct log_op *op = data;
    struct exec_log *r = op->r;
    r->status = op->status;
    r->err = op->err;
    r->cut = op->cut;
    r->impl = NULL;
    free(op);
    r->cb(r);
}

static void log_done(struct job *j)
{
    struct log_op *op = j->data;
    if (job_canceled(j) && op->status == 0) {
        op->status = err_set(&op->err, ERR_CANCELED, "log: canceled");
    }
    log_answer(op);
}

void ops_log(struct executor *x, struct exec_log *r)
{
    struct driver *d = container_of(x, struct driver, x);
    struct log_op *op = driver_alloc(sizeof *op);
    op->job.data = op;
    op->d = d;
    op->r = r;
    r->impl = op;
    if (d->closing) {
        op->status = err_set(&op->err, ERR_CLOSED, "log: the agent stops");
        driver_defer(d, log_answer, op);
        return;
    }
    jobs_submit(d->quick, &op->job, log_work, log_done);
}

/* --- inventory
 * ------------------------------------------------------------------------------------- */

struct inventory_op {
    struct job job;
    struct driver *d;
    struct exec_inventory *r;
    struct arena arena;
    struct found *found;
    int *pidfds;
    size_t n;
    int status;
    struct err err;
};

/* A supervisor that answers decides; it may be about to tell the end. */
static bool is_running(const struct found *f)
{
    return f->has_state && f->state.phase == SHIM_PHASE_RUNNING && (f->alive || f->talk >= 0);
}

static void inventory_work(struct job *j)
{
    struct inventory_op *op = j->data;
    struct net_endpoint *list;
    uint32_t n = 0;
    op->status = container_scan(&op->d->rt, &op->arena, &op->found, &op->n, &op->err);
    if (op->status != 0) {
        return;
    }
    list = arena_array(&op->arena, op->n + 1, sizeof *list);
    op->pidfds = arena_array(&op->arena, op->n + 1, sizeof *op->pidfds);
    for (size_t i = 0; i < op->n; i++) {
        const struct found *f = &op->found[i];
        bool running = is_running(f);
        op->pidfds[i] = running ? container_pidfd(f->state.pid, f->state.pid_start) : -1;
        if (f->meta.ip != 0) { /* The address belongs to the directory until that is removed. */
            list[n++] =
                (struct net_endpoint){f->meta.ip, f->meta.ports, running ? f->meta.n_ports : 0};
        }
    }
    op->status = net_adopt(op->d->rt.net, list, n, &op->err);
}

static void describe(const struct found *f, bool running, struct exec_container *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->key = (struct exec_key){f->meta.task, f->meta.name};
    ret->image = f->meta.image;
    ret->supervised = f->talk >= 0;
    if (f->meta.ip != 0) {
        ip_text(f->meta.ip, ret->ip);
    }
    if (!f->has_state || f->state.phase == SHIM_PHASE_FAILED) {
        ret->state = EXEC_CREATED;
        return;
    }
    ret->started_at_ms = f->state.started_at_ms;
    if (running) {
        ret->state = EXEC_RUNNING;
        ret->pid = f->state.pid;
        return;
    }
    ret->state = EXEC_EXITED;
    ret->exit.key = ret->key;
    ret->exit.started_at_ms = f->state.started_at_ms;
    ret->exit.unknown = f->state.phase != SHIM_PHASE_EXITED;
    ret->exit.exit_code = f->state.exit_code;
    ret->exit.signal = f->state.signal;
    ret->exit.oom_killed = f->state.oom_kills > 0;
    ret->exit.finished_at_ms = ret->exit.unknown ? clock_wall_ms() : f->state.finished_at_ms;
}

/* Take up a container, unless this agent knows it already. */
static void adopt(struct driver *d, struct found *f, int pidfd, bool running)
{
    struct exec_key key = {f->meta.task, f->meta.name};
    struct track *t;
    if (track_find(d, key) != NULL) {
        if (f->talk >= 0) {
            close(f->talk);
        }
        if (pidfd >= 0) {
            close(pidfd);
        }
        return;
    }
    t = track_new(d, key);
    t->ip = f->meta.ip;
    t->stop_signal = f->meta.stop_signal;
    t->image = f->meta.image;
    t->uid_base = f->meta.uid_base;
    if (running) {
        t->pid = f->state.pid;
        t->started_at_ms = f->state.started_at_ms;
        if (f->meta.net_mode == NET_MODE_BRIDGE) {
            track_set_ports(t, f->meta.ports, f->meta.n_ports);
        }
        track_run(t, f->talk, pidfd);
        return;
    }
    t->state = TRACK_ENDED;
    if (f->talk >= 0) {
        close(f->talk);
    }
}

static void inventory_answer(struct inventory_op *op)
{
    struct exec_inventory *r = op->r;
    struct exec_container *list = NULL;
    if (op->status == 0) {
        list = arena_array(&op->arena, op->n + 1, sizeof *list);
        for (size_t i = 0; i < op->n; i++) {
            bool running =
                is_running(&op->found[i]) && (op->pidfds[i] >= 0 || op->found[i].talk >= 0);
            describe(&op->found[i], running, &list[i]);
            adopt(op->d, &op->found[i], op->pidfds[i], running);
        }
    }
    r->status = op->status;
    r->err = op->err;
    r->containers = list;
    r->n_containers = op->status == 0 ? op->n : 0;
    r->impl = NULL;
    r->cb(r);
    arena_close(&op->arena);
    free(op);
}

static void inventory_done(struct job *j)
{
    struct inventory_op *op = j->data;
    if (job_canceled(j) && op->status == 0) {
        for (size_t i = 0; i < op->n; i++) {
            if (op->found[i].talk >= 0) {
                close(op->found[i].talk);
            }
            if (op->pidfds[i] >= 0) {
                close(op->pidfds[i]);
            }
        }
        op->status = err_set(&op->err, ERR_CANCELED, "inventory: canceled");
    }
    inventory_answer(op);
}

static void inventory_refused(void *data)
{
    inventory_answer(data);
}

void ops_inventory(struct executor *x, struct exec_inventory *r)
{
    struct driver *d = container_of(x, struct driver, x);
    struct inventory_op *op = driver_alloc(sizeof *op);
    op->job.data = op;
    op->d = d;
    op->r = r;
    arena_init(&op->arena, sysmem());
    r->impl = op;
    if (d->closing) {
        op->status = err_set(&op->err, ERR_CLOSED, "inventory: the agent stops");
        driver_defer(d, inventory_refused, op);
        return;
    }
    jobs_submit(d->jobs, &op->job, inventory_work, inventory_done);
}
