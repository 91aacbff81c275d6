/* controller/codec/arn.h
 *
 * Names of resources as the API shows and accepts them: arn:aws:ecs:REGION:ACCOUNT:TYPE/REST, and
 * the short forms that ECS allows in their place ("web" for a cluster, "app:3" for a task
 * definition). Pure. */
#ifndef CONTROLLER_CODEC_ARN_H
#define CONTROLLER_CODEC_ARN_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/str.h"

#include <stdint.h>

/* What all ARNs of this installation share. Borrowed texts. */
struct arn_names {
    const char *partition; /* "aws" */
    const char *region;
    const char *account; /* 12 digits. */
};

/* --- writing: NUL-terminated, in the arena -------------------------------------------------- */

char *arn_cluster(const struct arn_names *n, struct str cluster, struct arena *a);
char *arn_service(const struct arn_names *n, struct str cluster, struct str service,
                  struct arena *a);
char *arn_task(const struct arn_names *n, struct str cluster, struct id task, struct arena *a);
char *arn_node(const struct arn_names *n, struct str cluster, struct id node, struct arena *a);
char *arn_taskdef(const struct arn_names *n, struct str family, uint32_t revision, struct arena *a);

/* Containers have no identity of their own: theirs is the task's with the position mixed in. */
char *arn_container(const struct arn_names *n, struct str cluster, struct id task, uint32_t index,
                    struct arena *a);
struct id arn_container_id(struct id task, uint32_t index);

char *arn_service_deployment(const struct arn_names *n, struct str cluster, struct str service,
                             struct str deployment, struct arena *a);
char *arn_service_revision(const struct arn_names *n, struct str cluster, struct str service,
                           uint64_t revision, struct arena *a);
char *arn_capacity_provider(const struct arn_names *n, struct str name, struct arena *a);

/* --- reading --------------------------------------------------------------------------------- */

enum arn_type {
    ARN_CLUSTER,
    ARN_SERVICE,
    ARN_TASK,
    ARN_NODE, /* container-instance */
    ARN_TASKDEF,
    ARN_CONTAINER,
    ARN_CAPACITY_PROVIDER,
    ARN_TASK_SET,
    ARN_SERVICE_DEPLOYMENT,
    ARN_SERVICE_REVISION,
    ARN_TYPE_N,
};

/* The parts of an ARN; they point into its text. */
struct arn {
    enum arn_type type;
    struct str region;
    struct str account;
    struct str cluster; /* Empty for task definitions and capacity providers. */
    struct str name;    /* Cluster, service, capacity provider, family. */
    struct id id;       /* Task, node; the task of a container. */
    uint32_t revision;  /* Task definition; 0 when the ARN names none. */
    struct str rest;    /* What follows, for the other types. */
};

/* Any ECS ARN, whose region and account must be ours. ERR_INVALID, with the sentence ECS uses. */
int arn_parse(const struct arn_names *n, struct str text, struct arn *ret, struct err *err);

/* Is it meant to be an ARN? */
bool arn_is(struct str text);

/* A cluster by name or ARN, "default" when text is NULL or empty. The result points into text or is
 * static. ERR_INVALID: "Invalid identifier: Identifier is for a different account/region" and so
 * on. */
int arn_parse_cluster(const struct arn_names *n, const char *text, struct str *ret,
                      struct err *err);

/* A service by name or ARN; *ret_cluster is empty unless an ARN (long format) names it. */
int arn_parse_service(const struct arn_names *n, const char *text, struct str *ret_cluster,
                      struct str *ret_name, struct err *err);

/* A task or a node by id or ARN, *ret_cluster likewise. */
int arn_parse_task(const struct arn_names *n, const char *text, struct str *ret_cluster,
                   struct id *ret, struct err *err);
int arn_parse_node(const struct arn_names *n, const char *text, struct str *ret_cluster,
                   struct id *ret, struct err *err);

/* "family", "family:revision" or an ARN; *ret_revision is 0 when none is given (the latest). */
int arn_parse_taskdef(const struct arn_names *n, const char *text, struct str *ret_family,
                      uint32_t *ret_revision, struct err *err);

/* Letters, digits, '-' and '_', 1 to 255 of them: cluster, service and family names. */
bool arn_is_name(struct str text);

#endif
