/* What the dispatcher has to tell a node, in the words of the node protocol. */
#include "common/log/log.h"
#include "controller/codec/assignment.h"
#include "controller/codec/pbc.h"
#include "controller/link/link_int.h"

#include <string.h>

/* A stop needs no more than the id: the task may be unknown to the state. */
static Ecs__Agent__V1__Assignment *make_stop(struct link *l, const struct dispatch_task *t)
{
    Ecs__Agent__V1__Assignment *a = pbc_new(&ecs__agent__v1__assignment__descriptor, &l->arena);
    a->task_id.data = arena_alloc(&l->arena, 16);
    a->task_id.len = 16;
    a->has_task_id = true;
    link_id_write(t->id, a->task_id.data);
    a->has_stop = true;
    a->stop = true;
    a->stop_reason = arena_dup(&l->arena, t->reason.p, t->reason.n);
    return a;
}

static Ecs__Agent__V1__Assignment *make_run(struct link *l, const struct dispatch_task *t)
{
    const struct store *store = engine_store(l->options.engine);
    const struct task *task = store_task(store, t->slot);
    const struct arn_names names = {"aws", l->options.region, l->options.account};
    Ecs__Agent__V1__Assignment *a = NULL;
    struct assignment_context x;
    struct err err = {0};
    if (task == NULL || !id_eq(task->id, t->id)) {
        return NULL;
    }
    x.names = &names;
    x.cluster = store_cluster(store, task->cluster);
    x.taskdef = store_taskdef(store, task->taskdef);
    x.service = store_service(store, task->service);
    x.node = store_node(store, task->node);
    if (assignment_make(&x, task, &l->arena, &a, &err) != 0) {
        log_error("node.assignment", log_id("task", t->id), log_err(&err));
        return NULL;
    }
    return a;
}

static void add_tasks(struct link *l, const struct dispatch_out *out,
                      Ecs__Agent__V1__Assignments *to)
{
    to->tasks = arena_array(&l->arena, out->n_tasks, sizeof(Ecs__Agent__V1__Assignment *));
    for (uint32_t i = 0; i < out->n_tasks; i++) {
        const struct dispatch_task *t = &out->tasks[i];
        Ecs__Agent__V1__Assignment *a = t->stop ? make_stop(l, t) : make_run(l, t);
        if (a != NULL) {
            to->tasks[to->n_tasks++] = a;
        }
    }
}

static void add_forgets(struct link *l, const struct dispatch_out *out,
                        Ecs__Agent__V1__Assignments *to)
{
    to->forget = arena_array(&l->arena, out->n_forget, sizeof *to->forget);
    for (uint32_t i = 0; i < out->n_forget; i++) {
        to->forget[i].data = arena_alloc(&l->arena, 16);
        to->forget[i].len = 16;
        link_id_write(out->forget[i], to->forget[i].data);
    }
    to->n_forget = out->n_forget;
}

void assign_send(struct link *l, const struct dispatch_out *out)
{
    Ecs__Agent__V1__Assignments assignments = ECS__AGENT__V1__ASSIGNMENTS__INIT;
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    arena_clear(&l->arena);
    assignments.has_number = true;
    assignments.number = out->number;
    assignments.has_full = out->full;
    assignments.full = out->full;
    assignments.has_full_end = out->full_end;
    assignments.full_end = out->full_end;
    add_tasks(l, out, &assignments);
    add_forgets(l, out, &assignments);
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_ASSIGNMENTS;
    m.assignments = &assignments;
    session_send(out->data, &m);
}
