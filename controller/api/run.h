/* controller/api/run.h
 *
 * RunTask, StartTask, Plan and ExplainTask have most of their parameters in common: here they
 * become one request to the placement. */
#ifndef CONTROLLER_API_RUN_H
#define CONTROLLER_API_RUN_H

#include "controller/api/call.h"
#include "controller/core/leader.h"
#include "proto/ecs/v1/task.pb-c.h"

#define RUN_COUNT_MAX 1000 /* Tasks of one call; LIMIT_RUN_COUNT on the AWS API. */

struct run_input { /* As the caller gave them; borrowed from the request. */
    const char *cluster;
    const char *task_definition;
    const char *group;
    const char *started_by;
    const Ecs__V1__TaskOverride *overrides;
    Ecs__V1__Tag *const *tags;
    size_t n_tags;
    bool managed_tags;
    bool has_propagate;
    Ecs__V1__PropagateTags__Value propagate;
};

/* What can be said without the state. */
int run_check(struct api_call *c, const struct run_input *in);

/* Fill the parts of *ret that come from the input: cluster, task definition, group, overrides,
 * resources, tags. */
int run_prepare(struct api_call *c, const struct run_input *in, struct run_request *ret);

/* The input of a RunTaskRequest, and its own checks. */
void run_input_of(const Ecs__V1__RunTaskRequest *r, struct run_input *ret);
int run_task_check(struct api_call *c, const Ecs__V1__RunTaskRequest *r);
int run_task_prepare(struct api_call *c, const Ecs__V1__RunTaskRequest *r, struct run_request *ret);

#endif
