/* agent/core/message.h
 *
 * What agent and controller say to each other (proto/ecs/agent/v1/agent.proto) as plain values.
 * Strings are NUL-terminated and never NULL in decoded messages; lists are NULL only when their
 * count is 0; everything pointed to belongs to whoever built the message (an arena). Pure. */
#ifndef AGENT_CORE_MESSAGE_H
#define AGENT_CORE_MESSAGE_H

#include "agent/core/spec.h"
#include "common/base/id.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_PROTOCOL 1

/* Numbers of the wire: enum task_status of the controller's model, in ECS's order. */
enum wire_status {
    WIRE_PROVISIONING,
    WIRE_PENDING,
    WIRE_ACTIVATING,
    WIRE_RUNNING,
    WIRE_DEACTIVATING,
    WIRE_STOPPING,
    WIRE_DEPROVISIONING,
    WIRE_STOPPED,
    WIRE_STATUS_N,
};

/* enum stop_code of the model; the agent gives only these. */
enum wire_stop_code {
    WIRE_STOP_NONE,
    WIRE_STOP_FAILED_TO_START,
    WIRE_STOP_ESSENTIAL_EXITED,
    WIRE_STOP_CODE_N,
};

enum wire_container {
    WIRE_CONTAINER_PENDING,
    WIRE_CONTAINER_RUNNING,
    WIRE_CONTAINER_STOPPED,
    WIRE_CONTAINER_N,
};

enum health {
    HEALTH_UNKNOWN,
    HEALTH_HEALTHY,
    HEALTH_UNHEALTHY,
    HEALTH_N,
};

struct string_list {
    const char *const *v;
    uint32_t n;
};

/* --- joining -------------------------------------------------------------------------------------
 */
struct join_request {
    const char *secret;
    const char *csr_pem;
    const char *name;
};

struct join_response {
    struct id node_id;
    const char *certificate_pem;
    const char *ca_pem;
    const char *cluster;
    struct string_list controllers;
};

struct renew_request {
    const char *csr_pem;
};

struct renew_response {
    const char *certificate_pem;
    const char *ca_pem;
};

/* --- from the agent ------------------------------------------------------------------------------
 */
struct inventory_item {
    struct id task;
    enum wire_status status;
};

struct hello {
    uint32_t protocol;
    const char *name;
    const char *address;
    uint32_t cpu;
    uint32_t memory;
    uint32_t gpus;
    uint32_t port_min;
    uint32_t port_max;
    const uint16_t *reserved_tcp;
    uint32_t n_reserved_tcp;
    const uint16_t *reserved_udp;
    uint32_t n_reserved_udp;
    const struct spec_pair *attributes;
    uint32_t n_attributes;
    const char *agent_version;
    const char *runtime_version;
    const struct inventory_item *tasks;
    uint32_t n_tasks;
    const char *cluster;
};

struct heartbeat {
    uint64_t number;
    uint32_t cpu_used;
    uint32_t memory_used;
    uint32_t tasks_running;
    bool census; /* held is all whose processes are here; else it says nothing. */
    const struct id *held;
    uint32_t n_held;
};

struct container_report {
    uint32_t index;
    enum wire_container status;
    enum health health;
    bool has_exit_code;
    int32_t exit_code;
    const char *reason;
    const char *runtime_id;
    const char *image_digest;
};

struct task_report {
    struct id task;
    enum wire_status status;
    enum wire_stop_code stop_code;
    enum health health;
    const char *reason;
    int64_t pull_started_at;
    int64_t pull_stopped_at;
    int64_t started_at;
    int64_t stopped_at;
    const struct container_report *containers;
    uint32_t n_containers;
};

struct reports {
    uint64_t number;
    const struct task_report *tasks;
    uint32_t n_tasks;
};

struct numbered { /* Acknowledgements, and what is said about log requests. */
    uint64_t number;
};

struct log_chunk {
    uint64_t request;
    struct str data;
    bool end;
    const char *error;
};

struct agent_message { /* Exactly one is not NULL. */
    const struct hello *hello;
    const struct heartbeat *heartbeat;
    const struct reports *reports;
    const struct numbered *assignments_ack;
    const struct log_chunk *log_chunk;
};

/* --- from the controller -------------------------------------------------------------------------
 */
struct welcome {
    uint64_t epoch;
    uint64_t session;
    uint32_t heartbeat_interval_ms;
    uint32_t lease_ms;
    const char *cluster;
    const char *region;
    const char *account;
    struct string_list controllers;
};

struct redirect {
    const char *leader; /* "" while there is none. */
    struct string_list controllers;
};

struct assignment {
    struct id task;
    bool stop;
    const char *stop_reason;
    struct str spec; /* Encoded TaskSpec, borrowed from the message; empty: none was sent. */
};

struct assignments {
    uint64_t number;
    bool full;
    bool full_end;
    const struct assignment *tasks;
    uint32_t n_tasks;
    const struct id *forget;
    uint32_t n_forget;
};

struct log_request {
    uint64_t request;
    struct id task;
    const char *container;
    bool follow;
    int64_t since;
    uint32_t tail;
};

struct heartbeat_ack {
    uint64_t number;
    struct string_list controllers; /* Empty: as before. */
};

struct controller_message { /* Exactly one is not NULL. */
    const struct welcome *welcome;
    const struct redirect *redirect;
    const struct heartbeat_ack *heartbeat_ack;
    const struct numbered *reports_ack;
    const struct assignments *assignments;
    const struct log_request *log_request;
    const struct numbered *log_cancel;
    const struct numbered *log_pause;
    const struct numbered *log_resume;
};

#endif
