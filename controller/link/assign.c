/* What the dispatcher has to tell a node, and what nodes report. */
#include "common/log/log.h"
#include "controller/link/link_int.h"

void assign_send(struct link *l, const struct dispatch_out *out)
{
    const struct arn_names names = {"aws", l->options.region, l->options.account};
    Ecs__Agent__V1__Assignments assignments;
    Ecs__Agent__V1__ControllerMessage m = ECS__AGENT__V1__CONTROLLER_MESSAGE__INIT;
    struct err err = {0};
    arena_clear(&l->arena);
    if (nodemsg_assignments(engine_store(l->options.engine), &names, out, &l->arena, &assignments,
                            &err) != 0) {
        log_error("node.assignment", log_err(&err));
    }
    m.kind_case = ECS__AGENT__V1__CONTROLLER_MESSAGE__KIND_ASSIGNMENTS;
    m.assignments = &assignments;
    session_send(out->data, &m);
}

int reports_read(struct session *s, const Ecs__Agent__V1__Reports *reports, struct err *err)
{
    struct link *l = s->l;
    struct task_report *v;
    int rv = nodemsg_reports(reports, &l->arena, &v, err);
    return rv != 0 ? rv
                   : dispatch_report(l->dispatch, s->dispatch, reports->number, v,
                                     (uint32_t)reports->n_tasks, err);
}
