/* controller/core/command.h
 *
 * One change to the store. A log entry carries a batch of commands; store_apply() carries them out
 * one by one. Texts and arrays are borrowed until the call returns. Pure, plain values.
 *
 * Kinds are in logs: numbers are never reused, fields are only added (a new behaviour is a new
 * kind). The wire form is proto/ecs/log/v1; controller/codec maps one to the other. */
#ifndef CONTROLLER_CORE_COMMAND_H
#define CONTROLLER_CORE_COMMAND_H

#include "controller/core/model.h"

enum command_kind {
    CMD_CLUSTER_CREATE = 1,
    CMD_CLUSTER_UPDATE = 2,
    CMD_CLUSTER_DELETE = 3,
    CMD_TASKDEF_REGISTER = 4,
    CMD_TASKDEF_DEREGISTER = 5,
    CMD_TASKDEF_DELETE = 6,
    CMD_SERVICE_CREATE = 7,
    CMD_SERVICE_UPDATE = 8,
    CMD_SERVICE_DELETE = 9,
    CMD_PLAN =
        10, /* Tasks to create (already placed) and to stop: RunTask, StartTask, reconcilers. */
    CMD_TASK_STOP = 11,
    CMD_TASK_REPORTS = 12, /* What agents observed, gathered from all nodes. */
    CMD_NODE_REGISTER = 13,
    CMD_NODE_STATE = 14, /* ACTIVE or DRAINING. */
    CMD_NODE_DEREGISTER = 15,
    CMD_NODE_CONNECTION = 16, /* Session came, went, or was given up as lost. */
    CMD_ATTRIBUTES_PUT = 17,
    CMD_ATTRIBUTES_DELETE = 18,
    CMD_TAG = 19,
    CMD_UNTAG = 20,
    CMD_JOIN_CREATE = 21,
    CMD_JOIN_USE = 22, /* Spend one use; the id of the new node derives from it. */
    CMD_GC = 23,       /* Remove what at_ms has made old: stopped tasks, tokens, joins. */
    CMD_SET_FEATURE_LEVEL = 24,
    CMD_DIGEST = 25, /* The leader's digest at an earlier revision; a replica that differs stops. */
    CMD_IDENTITY = 26, /* The first leader gives the control plane its id and epoch 1. */
    CMD_EPOCH =
        27, /* A new epoch begins. Carried out offline, by restore and recover; see store.h. */
    CMD_UNFENCE = 28, /* Client tokens that are not known are new ones again. */
    CMD_PROVIDER_CREATE = 29,
    CMD_PROVIDER_UPDATE = 30,
    CMD_PROVIDER_DELETE = 31,
    CMD_N
};

/* An idempotency token; value.n == 0: none given. */
struct request_token {
    struct str value;
    uint64_t params_hash;
};

struct cmd_cluster { /* CREATE, UPDATE. */
    struct str name;
    struct str spec;
    bool has_spec; /* UPDATE: replace the specification. */
    struct tags tags;
    bool has_providers; /* UPDATE: replace the capacity providers. */
    struct provider_name *providers;
    uint32_t n_providers;
};

struct cmd_name { /* CLUSTER_DELETE, PROVIDER_DELETE. */
    struct str name;
};

struct cmd_provider { /* CREATE, UPDATE. */
    struct str name;
    struct str spec;
    struct tags tags; /* CREATE. */
};

struct cmd_taskdef_register { /* The revision is given at apply. */
    struct taskdef def;       /* family, network mode, resources, containers, spec, tags, ... */
};

struct cmd_taskdef_ref { /* DEREGISTER, DELETE. */
    struct str family;
    uint32_t revision;
};

struct cmd_service_create {
    struct str cluster;
    struct str family;
    uint32_t revision;
    struct service service; /* name, desired, strategies, spec, ...; slots and derived unset. */
    struct request_token token;
};

struct cmd_service_update {
    struct str cluster;
    struct str name;
    bool has_desired;
    uint32_t desired;
    bool has_taskdef;
    struct str family;
    uint32_t revision;
    bool force_new_deployment;
    bool has_percents;
    uint32_t min_percent;
    uint32_t max_percent;
    bool has_constraints;
    struct constraint *constraints;
    uint32_t n_constraints;
    bool has_strategies;
    struct strategy *strategies;
    uint32_t n_strategies;
    bool has_propagate_tags;
    uint8_t propagate_tags;
    bool has_spec;
    struct str spec;
    bool has_providers;
    struct provider_share *providers;
    uint32_t n_providers;
};

struct cmd_service_delete {
    struct str cluster;
    struct str name;
    bool force;
};

/* --- plans ---------------------------------------------------------------------------------------
 */

/* A task to create. Checked again at apply: node ACTIVE and connected, room, ports free, service
 * still wanting it; otherwise the item is dropped and the others stand. */
struct plan_task {
    struct id id;
    uint32_t taskdef; /* Slots, as of the leader's state. */
    uint32_t service;
    uint32_t node;
    uint64_t deployment;
    uint8_t launch_type;
    uint8_t priority; /* 0: PRIORITY_DEFAULT. */
    uint32_t cpu;
    uint32_t memory;
    uint32_t gpus;
    struct str group;
    struct str started_by;
    struct str overrides;
    struct tags tags;
    struct binding *bindings; /* Of all containers, one after the other ... */
    uint32_t n_bindings;
    uint8_t *binding_owner;    /* ... and the index of the container each belongs to. */
    uint32_t n_binding_owners; /* Equal to n_bindings, or the item is dropped. */
};

struct plan_stop {
    uint32_t task; /* Slot ... */
    struct id id;  /* ... and id: nothing happens when they do not agree. */
    uint8_t stop_code;
    struct str reason;
};

/* What a reconciler remembers about a service. */
struct plan_service {
    uint32_t service;
    uint64_t version; /* Nothing happens when the service has changed since. */
    bool has_event;
    struct str event;
    bool has_retry;
    uint32_t n_start_failures;
    int64_t retry_at;
    bool has_steady;
    bool steady;
    bool has_rollout;
    uint8_t rollout;
    bool has_status; /* DRAINING -> INACTIVE. */
    uint8_t status;
    bool has_desired; /* DAEMON: how many nodes are to run it. */
    uint32_t desired;
};

struct cmd_plan {
    uint32_t cluster; /* Of every created task. */
    struct request_token token;
    struct plan_task *tasks;
    uint32_t n_tasks;
    struct plan_stop *stops;
    uint32_t n_stops;
    struct plan_service *services;
    uint32_t n_services;
};

struct cmd_task_stop {
    struct str cluster;
    struct id id;
    uint8_t stop_code;
    struct str reason;
};

/* --- reports -------------------------------------------------------------------------------------
 */

struct container_report {
    uint32_t index; /* In the task definition. */
    uint8_t status;
    uint8_t health;
    bool has_exit_code;
    int32_t exit_code;
    struct str reason;
    struct str runtime_id;
    struct str image_digest;
};

struct task_report {
    struct id id;
    struct id node;    /* Reports about a task from another node than its own are ignored. */
    uint64_t session;  /* Likewise from an older session. */
    uint8_t status;    /* Never moves a task back. */
    uint8_t stop_code; /* When the agent knows why. */
    uint8_t health;
    struct str reason;
    int64_t pull_started_at;
    int64_t pull_stopped_at;
    int64_t started_at;
    int64_t stopped_at;
    struct container_report *containers;
    uint32_t n_containers;
};

struct cmd_task_reports {
    struct task_report *v;
    uint32_t n;
};

/* --- nodes ---------------------------------------------------------------------------------------
 */

struct cmd_node_register {
    struct str cluster;
    struct node node; /* id from the certificate; capacity, ports, attributes, versions, name. */
};

struct cmd_node_ref { /* NODE_STATE, NODE_DEREGISTER. */
    struct str cluster;
    struct id id;
    uint8_t status; /* NODE_STATE: ACTIVE or DRAINING. */
    bool force;     /* NODE_DEREGISTER: although tasks run on it. */
};

enum connection { CONNECTION_UP = 0, CONNECTION_DOWN = 1, CONNECTION_LOST = 2 };

struct cmd_node_connection {
    struct id id;
    uint64_t session;
    uint8_t connection;
};

struct cmd_attributes { /* PUT, DELETE. */
    struct str cluster;
    struct node_attribute {
        struct id node;
        struct attribute attribute;
    } * v;
    uint32_t n;
};

struct cmd_tags { /* TAG; UNTAG uses the keys only. */
    uint8_t kind; /* KIND_CLUSTER, _TASKDEF, _SERVICE, _NODE, _TASK, _CAPACITY_PROVIDER. */
    uint32_t slot;
    struct id id;      /* For nodes and tasks; must agree with the slot. */
    struct str name;   /* For the others; family for task definitions. */
    uint32_t revision; /* For task definitions. */
    struct tags tags;
};

struct cmd_join {
    struct str cluster;
    struct str secret_sha256;
    int64_t expires_at;
    uint32_t uses;
};

struct cmd_digest {
    uint64_t revision;
    uint64_t digest;
};

struct cmd_epoch {
    uint64_t epoch; /* Higher than the present one. */
    bool fence;     /* Refuse client tokens that are not known, until CMD_UNFENCE. */
};

struct command {
    uint8_t kind;      /* enum command_kind */
    int64_t at_ms;     /* The leader's clock; store_apply() never lets time go back. */
    uint64_t seed;     /* Ids of new objects derive from it and the revision. */
    struct str caller; /* For the audit, empty for commands of our own: who asked ... */
    struct str call;   /* ... for which operation. They change nothing in the store. */
    union {
        struct cmd_cluster cluster;
        struct cmd_name name;
        struct cmd_provider provider;
        struct cmd_taskdef_register taskdef;
        struct cmd_taskdef_ref taskdef_ref;
        struct cmd_service_create service_create;
        struct cmd_service_update service_update;
        struct cmd_service_delete service_delete;
        struct cmd_plan plan;
        struct cmd_task_stop task_stop;
        struct cmd_task_reports reports;
        struct cmd_node_register node_register;
        struct cmd_node_ref node_ref;
        struct cmd_node_connection connection;
        struct cmd_attributes attributes;
        struct cmd_tags tags;
        struct cmd_join join;
        uint32_t feature_level;
        struct cmd_digest digest;
        struct cmd_epoch epoch;
    } u;
};

/* --- outcome -------------------------------------------------------------------------------------
 */

/* Why a command was refused. The API turns these into AWS's error codes. */
enum reject {
    REJECT_NONE = 0,
    REJECT_CLUSTER_NOT_FOUND,
    REJECT_CLUSTER_INACTIVE,
    REJECT_CLUSTER_HAS_SERVICES,
    REJECT_CLUSTER_HAS_TASKS,
    REJECT_CLUSTER_HAS_NODES,
    REJECT_TASKDEF_NOT_FOUND,
    REJECT_TASKDEF_INACTIVE,
    REJECT_TASKDEF_ACTIVE, /* Delete wants INACTIVE. */
    REJECT_SERVICE_NOT_FOUND,
    REJECT_SERVICE_NOT_ACTIVE,
    REJECT_SERVICE_EXISTS,
    REJECT_SERVICE_HAS_TASKS, /* Delete without force while desired > 0. */
    REJECT_TASK_NOT_FOUND,
    REJECT_NODE_NOT_FOUND,
    REJECT_NODE_HAS_TASKS,
    REJECT_NODE_INACTIVE,
    REJECT_TARGET_NOT_FOUND,
    REJECT_TOKEN_CONFLICT, /* Same token, other parameters. */
    REJECT_TOKEN_FENCED,   /* It may have been used in a part of the history that was lost. */
    REJECT_LIMIT,
    REJECT_INVALID,
    REJECT_JOIN_INVALID,
    REJECT_PROVIDER_NOT_FOUND,
    REJECT_PROVIDER_EXISTS,
    REJECT_PROVIDER_IN_USE, /* Delete, while a cluster names it. */
    REJECT_PROVIDER_NEEDED, /* Taken off a cluster, while a service names it. */
    REJECT_N
};

#define RESULT_TEXT_MAX 256

/* What store_apply() says of one command. Lives with the caller. */
struct result {
    uint8_t reject; /* enum reject; REJECT_NONE: carried out. */
    bool duplicate; /* The token was known: nothing new happened, slot/ids are as then. */
    uint64_t revision;
    uint32_t slot;        /* The object created or changed, SLOT_NONE if there is none. */
    struct id id;         /* Of a node or task. */
    uint32_t n_done;      /* CMD_PLAN: tasks created; CMD_TASK_REPORTS: reports that mattered. */
    const struct id *ids; /* CMD_PLAN: tasks created, in order; valid until the next apply. */
    char text[RESULT_TEXT_MAX]; /* One sentence for the caller when rejected. */
};

#endif
