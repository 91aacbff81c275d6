#include "tests/lib/scripted_executor.h"

#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum kind {
    KIND_PULL,
    KIND_START,
    KIND_STOP,
    KIND_REMOVE,
    KIND_RUN,
    KIND_INVENTORY,
    KIND_CENSUS,
    KIND_LIFE
};

struct pending { /* Something that will happen. */
    struct list link;
    struct script_executor *x;
    enum kind kind;
    void *request;
    struct id task; /* Of KIND_LIFE, with name. */
    char name[64];
    struct loop_timer *timer;
};

struct script_executor {
    struct executor base;
    uv_loop_t *loop;
    struct script_world *w;
    struct list pending;
};

void script_world_init(struct script_world *w)
{
    memset(w, 0, sizeof *w);
    list_init(&w->containers);
}

static void container_free(struct script_container *c)
{
    list_remove(&c->link);
    mem_free(sysmem(), c, sizeof *c);
}

void script_world_close(struct script_world *w)
{
    while (!list_empty(&w->containers)) {
        container_free(container_of(w->containers.next, struct script_container, link));
    }
}

struct script_container *script_find(struct script_world *w, struct id task, const char *name)
{
    struct list *it;
    list_each (it, &w->containers) {
        struct script_container *c = container_of(it, struct script_container, link);
        if (id_eq(c->task, task) && strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

unsigned script_n_running(const struct script_world *w)
{
    struct list *it;
    unsigned n = 0;
    list_each (it, &w->containers) {
        n += container_of(it, struct script_container, link)->state == EXEC_RUNNING;
    }
    return n;
}

/* --- things that happen -------------------------------------------------------------------------
 */

static void on_timer(void *data);

static struct pending *later(struct script_executor *x, enum kind kind, void *request, uint64_t ms)
{
    struct pending *p = mem_alloc(sysmem(), sizeof *p);
    p->x = x;
    p->kind = kind;
    p->request = request;
    p->timer = loop_timer_open(x->loop, on_timer, p);
    loop_timer_start(p->timer, ms);
    list_push(&x->pending, &p->link);
    return p;
}

static void pending_free(struct pending *p)
{
    list_remove(&p->link);
    loop_timer_close(p->timer);
    mem_free(sysmem(), p, sizeof *p);
}

static void end_container(struct script_executor *x, struct script_container *c, int code, bool oom)
{
    if (c->state == EXEC_EXITED) {
        return;
    }
    c->state = EXEC_EXITED;
    memset(&c->exit, 0, sizeof c->exit);
    c->exit.key.task = c->task;
    c->exit.key.name = c->name;
    c->exit.exit_code = code;
    c->exit.signal = code > 128 ? code - 128 : 0;
    c->exit.oom_killed = oom;
    c->exit.started_at_ms = c->started_at_ms;
    c->exit.finished_at_ms = clock_wall_ms();
    x->base.events.exited(x->base.events.data, &c->exit);
}

/* "exit-3-50" */
static bool parse_exit(const char *image, int *ret_code, uint64_t *ret_ms)
{
    struct str rest;
    struct str word = str_cut(str_of(image), '-', &rest);
    uint64_t code;
    if (!str_eqc(word, "exit")) {
        return false;
    }
    word = str_cut(rest, '-', &rest);
    *ret_code = str_u64(word, &code) ? (int)code : 0;
    return str_u64(rest, ret_ms);
}

static void live(struct script_executor *x, const struct script_container *c)
{
    int code;
    uint64_t ms = 20;
    if (strcmp(c->image, "oom") == 0 || parse_exit(c->image, &code, &ms)) {
        struct pending *p = later(x, KIND_LIFE, NULL, ms);
        p->task = c->task;
        (void)snprintf(p->name, sizeof p->name, "%s", c->name);
    }
}

static void do_life(struct script_executor *x, const struct pending *p)
{
    struct script_container *c = script_find(x->w, p->task, p->name);
    int code = 137;
    uint64_t ms;
    if (c != NULL) {
        bool oom = !parse_exit(c->image, &code, &ms);
        end_container(x, c, code, oom);
    }
}

static void do_pull(struct script_executor *x, struct exec_pull *r, int canceled)
{
    (void)x;
    r->status = canceled;
    if (canceled != 0) {
        (void)err_set(&r->err, canceled, "canceled");
    } else if (strcmp(r->reference, "nopull") == 0) {
        r->status = err_set(&r->err, ERR_NOTFOUND, "manifest unknown");
    }
    (void)snprintf(r->image.manifest, sizeof r->image.manifest, "sha256:%s", r->reference);
    (void)snprintf(r->image.id, sizeof r->image.id, "sha256:id-%s", r->reference);
    r->cb(r);
}

static void do_start(struct script_executor *x, struct exec_start *r, int canceled)
{
    const struct container_spec *spec = &r->task->containers[r->container];
    struct script_container *c = script_find(x->w, r->task->id, spec->name);
    r->status = canceled;
    if (canceled != 0) {
        (void)err_set(&r->err, canceled, "canceled");
    } else if (c != NULL && c->state == EXEC_EXITED) {
        r->status = err_set(&r->err, ERR_CANCELED, "stopped before it started");
    } else if (strcmp(spec->image, "nostart") == 0) {
        r->status = err_set(&r->err, ERR_IO, "exec: \"nostart\": no such file or directory");
        container_free(c);
    } else {
        c->state = EXEC_RUNNING;
        c->started_at_ms = clock_wall_ms();
        r->pid = 4711;
        r->started_at_ms = c->started_at_ms;
        live(x, c);
    }
    r->cb(r);
}

static void do_stop(struct script_executor *x, struct exec_stop *r, int canceled)
{
    struct script_container *c = script_find(x->w, r->key.task, r->key.name);
    r->status = canceled;
    if (canceled != 0) {
        (void)err_set(&r->err, canceled, "canceled");
    } else if (c == NULL) {
        r->status = err_set(&r->err, ERR_NOTFOUND, "no such container");
    } else if (c->state == EXEC_RUNNING) {
        end_container(x, c, 143, false);
    } else {
        c->state = EXEC_EXITED;
    }
    r->cb(r);
}

static void do_remove(struct script_executor *x, struct exec_remove *r, int canceled)
{
    struct list *it;
    struct list *next;
    r->status = canceled;
    if (canceled == 0) {
        x->w->n_removed++;
        list_each_safe (it, next, &x->w->containers) {
            struct script_container *c = container_of(it, struct script_container, link);
            if (id_eq(c->task, r->key.task) &&
                (r->key.name == NULL || strcmp(c->name, r->key.name) == 0)) {
                container_free(c);
            }
        }
    }
    r->cb(r);
}

static void do_run(struct script_executor *x, struct exec_run *r, int canceled)
{
    x->w->n_runs++;
    r->status = canceled;
    r->exit_code = x->w->probe_exit_code;
    r->cb(r);
}

static void do_inventory(struct script_executor *x, struct exec_inventory *r, int canceled)
{
    struct exec_container found[64];
    struct list *it;
    memset(found, 0, sizeof found);
    r->status = canceled;
    r->containers = found;
    r->n_containers = 0;
    list_each (it, &x->w->containers) {
        struct script_container *c = container_of(it, struct script_container, link);
        struct exec_container *f = &found[r->n_containers];
        assert(r->n_containers < 64);
        f->key.task = c->task;
        f->key.name = c->name;
        f->state = c->state;
        f->supervised = true;
        f->started_at_ms = c->started_at_ms;
        f->exit = c->exit;
        if (c->state == EXEC_RUNNING && canceled == 0) {
            live(x, c);
        }
        r->n_containers++;
    }
    r->cb(r);
}

static bool counted(const struct id *tasks, size_t n, struct id task)
{
    for (size_t i = 0; i < n; i++) {
        if (id_eq(tasks[i], task)) {
            return true;
        }
    }
    return false;
}

static void do_census(struct exec_census *r, const struct script_world *w, int canceled)
{
    struct id tasks[65];
    struct list *it;
    size_t n = 0;
    list_each (it, &w->containers) {
        const struct script_container *c = container_of(it, struct script_container, link);
        assert(n < 64);
        if (c->state == EXEC_RUNNING && !counted(tasks, n, c->task)) {
            tasks[n++] = c->task;
        }
    }
    if (!id_is_none(w->stray)) {
        tasks[n++] = w->stray;
    }
    r->status = canceled;
    r->tasks = tasks;
    r->n_tasks = n;
    r->cb(r);
}

static void happen(struct pending *p, int canceled)
{
    struct script_executor *x = p->x;
    struct pending copy = *p;
    pending_free(p);
    switch (copy.kind) {
    case KIND_PULL:
        do_pull(x, copy.request, canceled);
        break;
    case KIND_START:
        do_start(x, copy.request, canceled);
        break;
    case KIND_STOP:
        do_stop(x, copy.request, canceled);
        break;
    case KIND_REMOVE:
        do_remove(x, copy.request, canceled);
        break;
    case KIND_RUN:
        do_run(x, copy.request, canceled);
        break;
    case KIND_INVENTORY:
        do_inventory(x, copy.request, canceled);
        break;
    case KIND_CENSUS:
        do_census(copy.request, x->w, canceled);
        break;
    case KIND_LIFE:
        if (canceled == 0) {
            do_life(x, &copy);
        }
        break;
    }
}

static void on_timer(void *data)
{
    happen(data, 0);
}

/* --- the vtable ---------------------------------------------------------------------------------
 */

static struct script_executor *self(struct executor *x)
{
    return container_of(x, struct script_executor, base);
}

static void op_pull(struct executor *x, struct exec_pull *r)
{
    self(x)->w->n_pulls++;
    (void)later(self(x), KIND_PULL, r, strcmp(r->reference, "slow-pull") == 0 ? 500 : 5);
}

static void op_start(struct executor *x, struct exec_start *r)
{
    struct script_world *w = self(x)->w;
    const struct container_spec *spec = &r->task->containers[r->container];
    struct script_container *c;
    assert(script_find(w, r->task->id, spec->name) == NULL); /* Never twice. */
    c = mem_alloc(sysmem(), sizeof *c);
    c->task = r->task->id;
    (void)snprintf(c->name, sizeof c->name, "%s", spec->name);
    (void)snprintf(c->image, sizeof c->image, "%s", spec->image);
    c->state = EXEC_CREATED;
    list_push(&w->containers, &c->link);
    w->n_started++;
    (void)later(self(x), KIND_START, r, 10);
}

static void op_stop(struct executor *x, struct exec_stop *r)
{
    struct script_container *c = script_find(self(x)->w, r->key.task, r->key.name);
    bool slow = c != NULL && strcmp(c->image, "stubborn") == 0;
    (void)later(self(x), KIND_STOP, r, slow ? 200 : 5);
}

static void op_remove(struct executor *x, struct exec_remove *r)
{
    (void)later(self(x), KIND_REMOVE, r, 5);
}

static void op_run(struct executor *x, struct exec_run *r)
{
    (void)later(self(x), KIND_RUN, r, 5);
}

static void op_inventory(struct executor *x, struct exec_inventory *r)
{
    (void)later(self(x), KIND_INVENTORY, r, 5);
}

static void op_census(struct executor *x, struct exec_census *r)
{
    (void)later(self(x), KIND_CENSUS, r, 5);
}

static void op_log(struct executor *x, struct exec_log *r)
{
    (void)x;
    (void)r;
    assert(false); /* Logs are read from their files. */
}

static int op_kill(struct executor *x, struct exec_key key, int signal, struct err *err)
{
    (void)x;
    (void)key;
    (void)signal;
    return err_set(err, ERR_UNSUPPORTED, "scripted");
}

static int op_stats(struct executor *x, struct exec_key key, struct exec_stats *ret,
                    struct err *err)
{
    (void)x;
    (void)key;
    (void)ret;
    return err_set(err, ERR_UNSUPPORTED, "scripted");
}

static int op_log_path(struct executor *x, struct exec_key key, char *ret, size_t size,
                       struct err *err)
{
    struct script_world *w = self(x)->w;
    if (script_find(w, key.task, key.name) == NULL) {
        return err_set(err, ERR_NOTFOUND, "no container '%s'", key.name);
    }
    if (snprintf(ret, size, "%s/%s.json", w->log_dir, key.name) >= (int)size) {
        return err_set(err, ERR_TOOBIG, "path too long");
    }
    return 0;
}

struct executor *script_open(uv_loop_t *loop, struct script_world *w,
                             const struct executor_events *events)
{
    static const struct executor_ops ops = {op_pull, op_start,     op_stop,    op_remove,
                                            op_run,  op_inventory, op_census,  op_log,
                                            op_kill, op_stats,     op_log_path};
    struct script_executor *x = mem_alloc(sysmem(), sizeof *x);
    x->base.ops = &ops;
    x->base.events = *events;
    x->loop = loop;
    x->w = w;
    list_init(&x->pending);
    return &x->base;
}

void script_close(struct executor *base)
{
    struct script_executor *x = self(base);
    while (!list_empty(&x->pending)) {
        happen(container_of(x->pending.next, struct pending, link), ERR_CANCELED);
    }
    mem_free(sysmem(), x, sizeof *x);
}
