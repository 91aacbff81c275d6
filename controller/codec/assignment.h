/* controller/codec/assignment.h
 *
 * What an agent is told about a task: everything resolved (overrides applied, ports bound, health
 * commands as argument vectors), so that it looks nothing up. Pure but for protobuf-c. */
#ifndef CONTROLLER_CODEC_ASSIGNMENT_H
#define CONTROLLER_CODEC_ASSIGNMENT_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "controller/codec/arn.h"
#include "controller/core/model.h"
#include "proto/ecs/agent/v1/agent.pb-c.h"

/* Where the task stands; all required, service may be NULL. */
struct assignment_context {
    const struct arn_names *names;
    const struct cluster *cluster;
    const struct taskdef *taskdef;
    const struct service *service;
    const struct node *node;
};

/* The assignment of a task; without spec when it is to stop. Texts may point into the rows: encode
 * it before the next store_apply(). ERR_CORRUPT when a specification in the state cannot be read.
 */
int assignment_make(const struct assignment_context *x, const struct task *task, struct arena *a,
                    Ecs__Agent__V1__Assignment **ret, struct err *err);

#endif
