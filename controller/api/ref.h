/* controller/api/ref.h
 *
 * Resources as callers name them (short name, id, family:revision, ARN) to rows of the store, and
 * rows to ARNs. The ref_ functions return 0, or ERR_INVALID with c->error set in ECS's words; an
 * argument of the wrong form is InvalidParameterException whatever exists. */
#ifndef CONTROLLER_API_REF_H
#define CONTROLLER_API_REF_H

#include "controller/api/call.h"
#include "proto/ecs/v1/types.pb-c.h"

/* An ACTIVE cluster; "default" when text is NULL or empty. ClusterNotFoundException. */
int ref_cluster(struct api_call *c, const char *text, uint32_t *ret);

/* Its name only, for commands; it need not exist. */
int ref_cluster_name(struct api_call *c, const char *text, struct str *ret);

/* Required text that is missing: "<name> can not be blank." */
int ref_required(struct api_call *c, const char *name, const char *text);

/* The find_ functions set *ret to SLOT_NONE when there is no such object in the cluster and fail
 * only for text that is no name or id at all. */
int find_service(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret);
int find_task(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret);
int find_node(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret);
int find_taskdef(struct api_call *c, const char *text, uint32_t *ret);

/* A service in any status: ServiceNotFoundException. */
int ref_service(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret);

/* InvalidParameterException. */
int ref_task(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret);

/* Not INACTIVE: InvalidParameterException. */
int ref_node(struct api_call *c, uint32_t cluster, const char *text, uint32_t *ret);

/* An ACTIVE task definition to run: ClientException. */
int ref_taskdef(struct api_call *c, const char *text, uint32_t *ret);

/* ARNs of rows that exist, in the call's arena. */
char *ref_cluster_arn(struct api_call *c, uint32_t slot);
char *ref_service_arn(struct api_call *c, uint32_t slot);
char *ref_task_arn(struct api_call *c, uint32_t slot);
char *ref_node_arn(struct api_call *c, uint32_t slot);
char *ref_taskdef_arn(struct api_call *c, uint32_t slot);

/* The ARN that text would have, if it is a name or an id, else text itself: for failures[]. */
enum ref_type { REF_CLUSTER, REF_SERVICE, REF_TASK, REF_NODE, REF_TASKDEF, REF_PROVIDER };
char *ref_guess_arn(struct api_call *c, enum ref_type type, uint32_t cluster, const char *text);

/* failures[] gathered one by one, at most max of them. */
struct failures {
    Ecs__V1__Failure **v;
    size_t n;
};

void failures_init(struct failures *f, struct api_call *c, size_t max);
void failures_add(struct failures *f, struct api_call *c, char *arn, const char *reason,
                  const char *detail /* may be NULL */);

#endif
