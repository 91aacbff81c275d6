/* controller/core/model.h
 *
 * The replicated objects as plain rows. The store owns every row and everything a row points to;
 * everybody else reads through const pointers that are valid until the next store_apply(). Pure.
 *
 * Rows refer to each other upwards only (task -> service, task -> node), by slot number: the place
 * of a row in its table. A slot is the lowest free one at creation, so it is the same on every
 * replica, and is saved with the row. SLOT_NONE means "no such object".
 *
 * Times are milliseconds since 1970 UTC, 0 = never. Texts are UTF-8. Counts of CPU are ECS CPU
 * units (1024 = one processor), memory is MiB. */
#ifndef CONTROLLER_CORE_MODEL_H
#define CONTROLLER_CORE_MODEL_H

#include "common/base/id.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SLOT_NONE UINT32_MAX

/* The tables of the store. Numbers are in logs and checkpoints: never reused. */
enum kind {
    KIND_CLUSTER = 1,
    KIND_TASKDEF = 2,
    KIND_SERVICE = 3,
    KIND_NODE = 4,
    KIND_TASK = 5,
    KIND_TOKEN = 6,  /* Idempotency tokens. */
    KIND_FAMILY = 7, /* Task definition families: the last revision number given out. */
    KIND_JOIN = 8,   /* Join tokens of nodes. */
    KIND_META = 9,   /* One row: revision, time, feature level, settings, counters. */
    KIND_CAPACITY_PROVIDER = 10,
    KIND_N
};

struct tag {
    struct str key;
    struct str value;
};

struct tags {
    struct tag *v;
    uint32_t n;
};

/* A custom or built-in attribute of a node. value.p == NULL: the attribute has no value. */
struct attribute {
    struct str name;
    struct str value;
};

enum proto { PROTO_TCP = 0, PROTO_UDP = 1 };

enum network_mode {
    NETWORK_BRIDGE = 0, /* The default on Linux. */
    NETWORK_HOST = 1,
    NETWORK_NONE = 2,
    NETWORK_AWSVPC = 3,
};

enum launch_type { LAUNCH_EC2 = 0, LAUNCH_FARGATE = 1, LAUNCH_EXTERNAL = 2 };

/* A capacity provider as one of several names it. */
struct provider_name {
    struct str name;
};

/* One item of a capacity provider strategy: the first n_base tasks, then its share of the rest. */
struct provider_share {
    struct str provider;
    uint32_t n_base;
    uint32_t weight;
};

/* Derived lists are threaded through the rows, by slot. */
struct task_links {
    uint32_t prev;
    uint32_t next;
};

/* --- clusters -----------------------------------------------------------------------------------
 */

enum cluster_status { CLUSTER_ACTIVE = 0, CLUSTER_INACTIVE = 1 };

struct cluster {
    struct str name;
    uint8_t status; /* enum cluster_status */
    struct tags tags;
    struct str spec; /* Encoded ecs.log.v1.ClusterSpec: what only Describe shows. */
    int64_t created_at;
    uint64_t version; /* Revision that last changed the row. In every row. */
    int64_t deleted_at;
    struct provider_name *providers; /* From feature level 5 on. */
    uint32_t n_providers;
    /* Derived; rebuilt on load, not saved. */
    uint32_t n_nodes;    /* Registered container instances (not INACTIVE). */
    uint32_t n_services; /* ACTIVE ones. */
    uint32_t n_running;
    uint32_t n_pending;
    uint32_t n_draining;     /* DRAINING services. */
    uint32_t n_active_tasks; /* Not STOPPED. */
    uint32_t n_refs;         /* Rows of any kind and status that name it. */
    struct task_links in_gc; /* Waiting to be removed. */
};

/* --- task definitions ------------------------------------------------------------------------- */

enum taskdef_status { TASKDEF_ACTIVE = 0, TASKDEF_INACTIVE = 1, TASKDEF_DELETING = 2 };

struct port_mapping {
    uint16_t container_port;
    uint16_t host_port; /* 0 = dynamic. In host mode equal to container_port. */
    uint16_t range;     /* Consecutive ports, at least 1 (containerPortRange). */
    uint8_t proto;      /* enum proto */
};

struct constraint {
    uint8_t type;          /* enum constraint_type */
    struct str expression; /* For memberOf; for the others a number or nothing. */
};

enum constraint_type {
    CONSTRAINT_DISTINCT_INSTANCE = 0,
    CONSTRAINT_MEMBER_OF = 1,
    CONSTRAINT_MAX_PER_INSTANCE = 2, /* From feature level 4 on. */
    CONSTRAINT_PRIORITY = 3,         /* A number; from feature level 5 on. */
};

/* Tasks of higher priority may have those of lower ones stopped to find room. */
#define PRIORITY_MIN     1
#define PRIORITY_MAX     100
#define PRIORITY_DEFAULT 50

struct strategy {
    uint8_t type;     /* enum strategy_type */
    struct str field; /* "cpu", "memory", "instanceId", "attribute:..." */
};

enum strategy_type { STRATEGY_RANDOM = 0, STRATEGY_SPREAD = 1, STRATEGY_BINPACK = 2 };

/* What the scheduler needs of a container; all the rest is in taskdef.spec. */
struct container_summary {
    struct str name;
    bool essential;
    uint32_t cpu;
    uint32_t memory;             /* Hard limit, 0 = none. */
    uint32_t memory_reservation; /* Soft limit, 0 = none. */
    uint32_t gpus;
    struct port_mapping *ports;
    uint32_t n_ports;
};

struct taskdef {
    struct str family;
    uint32_t revision;
    uint8_t status;       /* enum taskdef_status */
    uint8_t network_mode; /* enum network_mode */
    uint32_t cpu;         /* What one task reserves: task level, else sum of containers. */
    uint32_t memory;      /* Likewise; a container counts its reservation if it has one. */
    uint32_t gpus;
    struct container_summary *containers;
    uint32_t n_containers;
    struct constraint *constraints; /* memberOf, of the task definition itself. */
    uint32_t n_constraints;
    struct str spec; /* Encoded ecs.log.v1.TaskDefinitionSpec, complete. */
    struct tags tags;
    int64_t registered_at;
    int64_t deregistered_at;
    int64_t delete_requested_at;
    struct str registered_by;
    uint64_t version;
    /* Derived. */
    uint32_t n_uses;             /* Tasks not stopped and services not INACTIVE that refer to it. */
    uint32_t n_refs;             /* Rows of any status that refer to it. */
    struct task_links in_family; /* ACTIVE ones of the family, oldest first. */
    struct task_links in_gc;
};

/* Revision numbers of a family are never used twice, not even after deletion. */
struct family {
    struct str name;
    uint32_t last_revision;
    uint64_t version;
    /* Derived. */
    uint32_t first_active; /* Of its list (struct taskdef.in_family). */
    uint32_t last_active;
};

/* --- services ------------------------------------------------------------------------------------
 */

enum service_status { SERVICE_ACTIVE = 0, SERVICE_DRAINING = 1, SERVICE_INACTIVE = 2 };
enum scheduling { SCHEDULING_REPLICA = 0, SCHEDULING_DAEMON = 1 };
enum propagate_tags { PROPAGATE_NONE = 0, PROPAGATE_TASKDEF = 1, PROPAGATE_SERVICE = 2 };

struct service_event {
    struct id id;
    int64_t at;
    struct str message;
};

/* Until rolling deployments arrive a service has one deployment: the PRIMARY. */
struct deployment {
    uint64_t id;      /* ecs-svc/<id>, decimal. */
    uint32_t taskdef; /* Slot. */
    int64_t created_at;
    int64_t updated_at;
    uint8_t rollout;   /* enum rollout */
    uint32_t n_failed; /* Tasks that never reached RUNNING. */
};

enum rollout { ROLLOUT_IN_PROGRESS = 0, ROLLOUT_COMPLETED = 1, ROLLOUT_FAILED = 2 };

struct service {
    uint32_t cluster; /* Slot. */
    struct str name;
    uint8_t status;     /* enum service_status */
    uint8_t scheduling; /* enum scheduling */
    uint8_t launch_type;
    uint8_t propagate_tags;
    uint32_t desired;
    uint32_t min_percent; /* Defaults 100 and 200. */
    uint32_t max_percent;
    struct constraint *constraints;
    uint32_t n_constraints;
    struct strategy *strategies;
    uint32_t n_strategies;
    struct deployment primary;
    struct service_event *events; /* Oldest first, at most LIMIT_EVENTS. */
    uint32_t n_events;
    struct tags tags;
    struct str spec; /* Encoded ecs.log.v1.ServiceSpec: what only Describe shows. */
    int64_t created_at;
    struct str created_by;
    /* Memory of decisions: replicated, so that a new leader decides alike. */
    uint32_t n_start_failures; /* In a row; reset by a task that runs or a new definition. */
    int64_t retry_at;          /* No new tasks before this: back-off of failing starts. */
    bool steady;               /* "has reached a steady state" was said. */
    uint64_t version;
    int64_t deleted_at;               /* When it became INACTIVE. */
    struct provider_share *providers; /* Each is one of the cluster's. From feature level 5 on. */
    uint32_t n_providers;
    /* Derived. */
    uint32_t n_running;
    uint32_t n_pending;
    uint32_t first_task;   /* Head of the list of its tasks (struct task.in_service). */
    uint32_t n_active;     /* Tasks not STOPPED. */
    uint32_t n_wanted;     /* Those of them whose desired status is RUNNING. */
    uint32_t n_wanted_new; /* Those of them that the primary deployment made. */
    uint32_t n_unhealthy;  /* Wanted ones that are RUNNING and UNHEALTHY. */
    struct task_links in_gc;
};

/* --- nodes ---------------------------------------------------------------------------------------
 */

enum node_status { NODE_ACTIVE = 0, NODE_DRAINING = 1, NODE_INACTIVE = 2 };

struct node {
    struct id id; /* Of the container instance; in its certificate. */
    uint32_t cluster;
    struct str name;    /* Host name, for people; also ec2InstanceId unless given. */
    struct str address; /* Where its host ports can be reached. */
    uint8_t status;     /* enum node_status */
    bool connected;
    uint64_t session; /* Revision of the registration: fences older connections. */
    uint32_t cpu;     /* Registered for tasks (reserve for the host already taken off). */
    uint32_t memory;
    uint32_t gpus;
    uint16_t port_min; /* Dynamic host ports. */
    uint16_t port_max;
    uint16_t *reserved_tcp; /* Ports never given to tasks. */
    uint32_t n_reserved_tcp;
    uint16_t *reserved_udp;
    uint32_t n_reserved_udp;
    struct attribute *attributes; /* Sorted by name. Built-in ones (ecs.*) included. */
    uint32_t n_attributes;
    struct str agent_version;
    struct str agent_hash;
    struct str runtime_version; /* Shown as dockerVersion. */
    struct tags tags;
    int64_t registered_at;
    int64_t disconnected_at; /* 0 while connected. */
    uint64_t version;
    int64_t deregistered_at;
    /* Derived. */
    uint32_t cpu_used;
    uint32_t memory_used;
    uint32_t gpus_used;
    uint32_t n_running;
    uint32_t n_pending;
    uint32_t first_task; /* Head of the list of its tasks (struct task.on_node). */
    uint32_t n_active;   /* Tasks not STOPPED. */
    struct task_links in_gc;
};

/* --- tasks ---------------------------------------------------------------------------------------
 */

/* In ECS's order; a task only moves forward. */
enum task_status {
    TASK_PROVISIONING = 0,
    TASK_PENDING = 1,
    TASK_ACTIVATING = 2,
    TASK_RUNNING = 3,
    TASK_DEACTIVATING = 4,
    TASK_STOPPING = 5,
    TASK_DEPROVISIONING = 6,
    TASK_STOPPED = 7,
};

enum stop_code {
    STOP_NONE = 0,
    STOP_FAILED_TO_START = 1,
    STOP_ESSENTIAL_EXITED = 2,
    STOP_USER = 3,
    STOP_SERVICE_SCHEDULER = 4,
    STOP_SPOT = 5,
    STOP_TERMINATION_NOTICE = 6,
    STOP_INFRASTRUCTURE = 7,
};

enum container_status { CONTAINER_PENDING = 0, CONTAINER_RUNNING = 1, CONTAINER_STOPPED = 2 };
enum health { HEALTH_UNKNOWN = 0, HEALTH_HEALTHY = 1, HEALTH_UNHEALTHY = 2 };

/* One host port bound to one container port. */
struct binding {
    uint16_t container_port;
    uint16_t host_port;
    uint8_t proto;
};

struct container {
    uint8_t status; /* enum container_status */
    uint8_t health;
    bool has_exit_code;
    int32_t exit_code;
    struct binding *bindings; /* Decided at placement: they are reservations. */
    uint32_t n_bindings;
    struct str reason;
    struct str runtime_id;
    struct str image_digest;
};

struct task {
    struct id id;
    uint32_t cluster;
    uint32_t service; /* SLOT_NONE for standalone tasks. */
    uint32_t taskdef;
    uint32_t node;
    uint8_t status;  /* lastStatus, enum task_status */
    uint8_t desired; /* TASK_RUNNING or TASK_STOPPED */
    uint8_t launch_type;
    uint8_t stop_code; /* enum stop_code */
    uint8_t health;
    uint8_t priority; /* 0: PRIORITY_DEFAULT. */
    uint32_t cpu;     /* Reserved on the node (overrides applied). */
    uint32_t memory;
    uint32_t gpus;
    uint64_t deployment; /* Id of the service's deployment that made it. */
    int64_t created_at;
    int64_t pull_started_at;
    int64_t pull_stopped_at;
    int64_t started_at;
    int64_t stopping_at;
    int64_t stopped_at;
    struct str group; /* "service:NAME", "family:NAME" or the caller's. */
    struct str started_by;
    struct str stop_reason;
    struct str overrides;         /* Encoded ecs.log.v1.TaskOverride; empty = none. */
    struct container *containers; /* One per container of the definition, same order. */
    uint32_t n_containers;
    struct tags tags;
    uint64_t version;
    /* Derived. */
    struct task_links in_service;
    struct task_links on_node;
    struct task_links in_gc; /* STOPPED ones, oldest first. */
};

_Static_assert(sizeof(struct task) <= 256, "millions of these are kept");

/* --- small tables --------------------------------------------------------------------------------
 */

/* A request that was carried out, so that sending it again has one effect. */
struct token {
    uint32_t cluster;
    uint8_t operation; /* enum command_kind that it belongs to. */
    struct str value;
    uint64_t params_hash;
    int64_t expires_at;
    struct id *ids; /* The tasks it made; or one: hi the service's created_at, lo its slot. */
    uint32_t n_ids;
    uint64_t version;
    /* Derived. */
    struct task_links in_gc;
};

/* A secret that lets one machine join; only its SHA-256 is kept. */
struct join {
    struct str secret_sha256; /* 32 bytes. */
    uint32_t cluster;
    int64_t expires_at;
    uint32_t uses_left;
    uint64_t version;
    /* Derived. */
    struct task_links in_gc;
};

/* A pool of machines: the nodes of any cluster whose attribute ecs.capacity-provider is its name.
 */
struct capacity_provider {
    struct str name;
    uint8_t status;  /* enum provider_status */
    struct str spec; /* Encoded ecs.log.v1.CapacityProviderSpec: what only Describe shows. */
    struct tags tags;
    int64_t created_at;
    int64_t updated_at;
    int64_t deleted_at;
    uint64_t version;
    /* Derived. */
    struct task_links in_gc;
};

enum provider_status { PROVIDER_ACTIVE = 0, PROVIDER_INACTIVE = 1 };

struct meta {
    uint64_t revision; /* Commands applied. */
    int64_t now;       /* Latest at_ms seen; never goes back. */
    uint64_t digest;   /* Rolling, over every row change. */
    uint32_t feature_level;
    uint64_t version;
    struct id cluster_id; /* Of this control plane, for ever; given by its first leader. */
    uint64_t epoch;   /* 1 at first; each restore or recovery begins another. 0: not given yet. */
    int64_t epoch_at; /* Everything created before this is from an earlier epoch. */
    bool fenced; /* Part of the history is lost: client tokens that are not known are refused. */
};

#endif
