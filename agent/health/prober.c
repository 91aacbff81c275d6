#include "agent/health/prober.h"

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <string.h>

struct watch {        /* Lives until it is unwatched and no probe of it is under way. */
    struct prober *p; /* NULL once unwatched. */
    struct list link;
    uint32_t container;
    struct exec_key key;
    struct spec_health spec;
    struct health_state state;
    struct arena arena; /* Owns name and command. */
    struct loop_timer *timer;
    struct exec_run run;
    bool busy;
};

struct prober {
    struct executor *executor;
    uv_loop_t *loop;
    prober_cb cb;
    void *data;
    struct list watches;
};

struct prober *prober_open(uv_loop_t *loop, struct executor *executor, prober_cb cb, void *data)
{
    struct prober *p = mem_alloc(sysmem(), sizeof *p);
    p->executor = executor;
    p->loop = loop;
    p->cb = cb;
    p->data = data;
    list_init(&p->watches);
    return p;
}

static void watch_free(struct watch *w)
{
    arena_close(&w->arena);
    mem_free(sysmem(), w, sizeof *w);
}

static void watch_end(struct watch *w)
{
    list_remove(&w->link);
    loop_timer_close(w->timer);
    w->timer = NULL;
    w->p = NULL;
    if (!w->busy) {
        watch_free(w);
    }
}

void prober_close(struct prober *p)
{
    if (p == NULL) {
        return;
    }
    while (!list_empty(&p->watches)) {
        watch_end(container_of(p->watches.next, struct watch, link));
    }
    mem_free(sysmem(), p, sizeof *p);
}

static void on_run(struct exec_run *r)
{
    struct watch *w = r->data;
    struct prober *p = w->p;
    w->busy = false;
    if (p == NULL) {
        watch_free(w);
        return;
    }
    loop_timer_start(w->timer, health_interval_ms(&w->spec));
    if (r->status == ERR_CANCELED || r->status == ERR_NOTFOUND) {
        return; /* It is ending; its exit says the rest. */
    }
    if (health_result(&w->state, &w->spec, r->status == 0 && r->exit_code == 0, clock_boot_ms())) {
        p->cb(p->data, w->key.task, w->container, w->state.status);
    }
}

static void on_timer(void *data)
{
    struct watch *w = data;
    assert(!w->busy);
    memset(&w->run, 0, sizeof w->run);
    w->run.data = w;
    w->run.key = w->key;
    w->run.command = w->spec.command;
    w->run.n_command = w->spec.n_command;
    w->run.timeout_ms = health_timeout_ms(&w->spec);
    w->run.cb = on_run;
    w->busy = true;
    executor_run(w->p->executor, &w->run);
}

static struct watch *find(struct prober *p, struct id task, uint32_t container)
{
    struct list *it;
    list_each (it, &p->watches) {
        struct watch *w = container_of(it, struct watch, link);
        if (id_eq(w->key.task, task) && w->container == container) {
            return w;
        }
    }
    return NULL;
}

void prober_watch(struct prober *p, struct id task, uint32_t container, const char *name,
                  const struct spec_health *health)
{
    struct watch *w;
    const char **command;
    assert(health->n_command > 0);
    if (find(p, task, container) != NULL) {
        return;
    }
    w = mem_alloc(sysmem(), sizeof *w);
    arena_init(&w->arena, sysmem());
    w->p = p;
    w->container = container;
    w->key.task = task;
    w->key.name = arena_strdup(&w->arena, name);
    w->spec = *health;
    command = arena_array(&w->arena, health->n_command, sizeof *command);
    for (uint32_t i = 0; i < health->n_command; i++) {
        command[i] = arena_strdup(&w->arena, health->command[i]);
    }
    w->spec.command = command;
    health_init(&w->state, &w->spec, clock_boot_ms());
    w->timer = loop_timer_open(p->loop, on_timer, w);
    loop_timer_start(w->timer, health_interval_ms(&w->spec));
    list_push(&p->watches, &w->link);
}

void prober_unwatch(struct prober *p, struct id task, uint32_t container)
{
    struct watch *w = find(p, task, container);
    if (w != NULL) {
        watch_end(w);
    }
}
