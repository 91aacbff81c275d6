/* controller/core/limits.h
 *
 * Every maximum of the replicated state, by name. Reaching one is an ordinary error. Where Amazon
 * ECS publishes a quota, ours is the same or larger. */
#ifndef CONTROLLER_CORE_LIMITS_H
#define CONTROLLER_CORE_LIMITS_H

#define LIMIT_CLUSTERS              10000
#define LIMIT_SERVICES              200000
#define LIMIT_NODES                 200000
#define LIMIT_TASKS                 4000000
#define LIMIT_TASKDEFS              1000000 /* Revisions, all families together. */
#define LIMIT_REVISIONS             1000000 /* Ever, of one family. */
#define LIMIT_TOKENS                4000000
#define LIMIT_JOINS                 1000
#define LIMIT_PROVIDERS             1000 /* Capacity providers ... */
#define LIMIT_CLUSTER_PROVIDERS     20   /* ... of one cluster or strategy. */
#define LIMIT_PROVIDER_BASE         100000
#define LIMIT_PROVIDER_WEIGHT       1000
#define LIMIT_TOKEN                 64  /* Bytes of an idempotency token. */
#define LIMIT_NAME                  255 /* Bytes of a cluster, service or family name. */
#define LIMIT_CONTAINERS            10  /* Per task definition. */
#define LIMIT_PORTS_PER_CONTAINER   100
#define LIMIT_EPOCH_REVISIONS       1000000 /* How far a new epoch jumps ahead of what was lost ... */
#define LIMIT_EPOCH_TASKDEFS        1000    /* ... and likewise in the revisions of each family. */
#define LIMIT_TASKDEF_BYTES         65536   /* Encoded specification. */
#define LIMIT_TAGS                  50
#define LIMIT_TAG_KEY               128
#define LIMIT_TAG_VALUE             256
#define LIMIT_ATTRIBUTES            256 /* Per node, built-in ones included. */
#define LIMIT_ATTRIBUTE             128 /* Bytes of a name or a value. */
#define LIMIT_PLACEMENT_CONSTRAINTS 10
#define LIMIT_PLACEMENT_STRATEGIES  5
#define LIMIT_EXPRESSION            2000 /* Bytes of a memberOf expression. */
#define LIMIT_EVENTS                100  /* Kept per service, the newest. */
#define LIMIT_REASON                1024 /* Bytes of a stop reason; longer ones are cut. */
#define LIMIT_RUN_COUNT             10   /* Tasks of one RunTask call on the AWS API. */
#define LIMIT_PLAN_ITEMS            20000
#define LIMIT_DESIRED_COUNT         1000000
#define LIMIT_OVERRIDES_BYTES       8192
#define LIMIT_TOKEN_LIFE_MS         (24ll * 3600 * 1000)
#define LIMIT_STOPPED_LIFE_MS       (3600ll * 1000) /* Stopped tasks stay visible at least so long. */
#define LIMIT_INACTIVE_LIFE_MS      (3600ll * 1000) /* Likewise INACTIVE clusters, services, nodes. */
#define LIMIT_GC_ROWS               10000 /* Removed by one CMD_GC, and those of the same age. */
#define LIMIT_BACKOFF_MS            (15ll * 60 * 1000)  /* Longest wait after failing starts. */
#define LIMIT_EVENT_REPEAT_MS       (6ll * 3600 * 1000) /* The same event again after this. */
#define LIMIT_EVENT                 1000                /* Bytes of a service event. */
#define LIMIT_RESERVED_PORTS        100                 /* Per node and protocol. */
#define LIMIT_REPORT_TEXT           512 /* Bytes of a container's reason, runtime id or digest. */

#endif
