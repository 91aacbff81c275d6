/* controller/codec/taskdef.h
 *
 * Task definitions and task overrides between the public API, the model of the core and the
 * specification bytes that the core carries without looking inside. ECS's rules are checked here,
 * once, when something is registered or run. Pure but for protobuf-c. */
#ifndef CONTROLLER_CODEC_TASKDEF_H
#define CONTROLLER_CODEC_TASKDEF_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "controller/codec/arn.h"
#include "controller/core/model.h"
#include "proto/ecs/log/v1/spec.pb-c.h"
#include "proto/ecs/v1/task.pb-c.h"
#include "proto/ecs/v1/task_definition.pb-c.h"

/* Fill the zeroed *ret from a request: summary, specification and tags. Revision, times and
 * registered_by are for the caller and the core. Everything lives in the arena or the request.
 * ERR_INVALID (ClientException) with ECS's sentence, ERR_UNSUPPORTED for fields that are not
 * carried out yet, naming them. */
int taskdef_from_request(const Ecs__V1__RegisterTaskDefinitionRequest *request, struct arena *a,
                         struct taskdef *ret, struct err *err);

/* The public form of a row. ERR_CORRUPT when its specification cannot be read. */
int taskdef_to_public(const struct taskdef *def, const struct arn_names *names, struct arena *a,
                      Ecs__V1__TaskDefinition **ret, struct err *err);

/* The specification of a row. ERR_CORRUPT. */
int taskdef_spec(const struct taskdef *def, struct arena *a, Ecs__Log__V1__TaskDefinitionSpec **ret,
                 struct err *err);

/* "ACTIVE", "bridge", ... */
const char *taskdef_status_name(uint8_t status);
const char *taskdef_network_name(uint8_t mode);

/* "256", "1 vCPU", ".5 vcpu" as CPU units; "512", "0.5 GB", "1gb" as MiB. ERR_INVALID. */
int taskdef_parse_cpu(struct str text, uint32_t *ret, struct err *err);
int taskdef_parse_memory(struct str text, uint32_t *ret, struct err *err);

/* --- overrides ------------------------------------------------------------------------------- */

/* What a task reserves, its overrides applied, and the encoded ecs.log.v1.TaskOverride (empty when
 * there are none). */
struct task_shape {
    uint32_t cpu;
    uint32_t memory;
    uint32_t gpus;
    struct str overrides;
};

/* overrides may be NULL. ERR_INVALID (InvalidParameterException), ERR_UNSUPPORTED, as above. */
int taskdef_apply_overrides(const struct taskdef *def, const Ecs__V1__TaskOverride *overrides,
                            struct arena *a, struct task_shape *ret, struct err *err);

/* The public form of struct task.overrides; never NULL, containerOverrides perhaps empty.
 * ERR_CORRUPT. */
int taskdef_overrides_to_public(struct str overrides, struct arena *a, Ecs__V1__TaskOverride **ret,
                                struct err *err);

#endif
