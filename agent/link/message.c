#include "agent/link/message.h"

#include "agent/core/limits.h"
#include "common/conf/conf.h"
#include "proto/ecs/agent/v1/agent.pb.h"

#include <string.h>

#define PEM_MAX  (64u * 1024u)
#define TEXT_MAX 1024u
#define LIST_MAX LIMIT_LIST

/* T: struct; M: message of the .proto; c, p: the field's names in them. */
#define FIELD_(K, T, c, M, p, type_size, count, has, most, n_most, sub)            \
    {                                                                              \
        .name = #M "." #p, .kind = (K), .tag = ecs_agent_v1_##M##_##p##_tag,       \
        .offset = offsetof(struct T, c), .size = (type_size), .n_offset = (count), \
        .has_offset = (has), .max = (most), .n_max = (n_most), .message = (sub)    \
    }
#define SIZE_(T, c) sizeof(((struct T *)0)->c)
#define ITEM_(T, c) sizeof(*((struct T *)0)->c)

/* One value; of a text with a limit; of an enum with its number of values. */
#define ONE(K, T, c, M, p) FIELD_(K, T, c, M, p, SIZE_(T, c), WIRE_NONE, WIRE_NONE, 0, 0, NULL)
#define TEXT(T, c, M, p, most) \
    FIELD_(WIRE_STR, T, c, M, p, SIZE_(T, c), WIRE_NONE, WIRE_NONE, most, 0, NULL)
#define BYTES(T, c, M, p, most) \
    FIELD_(WIRE_BYTES, T, c, M, p, SIZE_(T, c), WIRE_NONE, WIRE_NONE, most, 0, NULL)
#define ENUM(T, c, M, p, n) \
    FIELD_(WIRE_ENUM, T, c, M, p, SIZE_(T, c), WIRE_NONE, WIRE_NONE, n, 0, NULL)
#define OPT(K, T, c, has, M, p) \
    FIELD_(K, T, c, M, p, SIZE_(T, c), WIRE_NONE, offsetof(struct T, has), 0, 0, NULL)
#define SUB(T, c, M, p, sub) \
    FIELD_(WIRE_MSG, T, c, M, p, SIZE_(T, c), WIRE_NONE, WIRE_NONE, 0, 0, sub)
#define PTR(T, c, M, p, sub) \
    FIELD_(WIRE_PTR, T, c, M, p, sizeof(void *), WIRE_NONE, WIRE_NONE, 0, 0, sub)

/* Lists: of numbers or ids, of texts, of messages. */
#define MANY(K, T, c, n, M, p, n_most) \
    FIELD_(K, T, c, M, p, ITEM_(T, c), offsetof(struct T, n), WIRE_NONE, 0, n_most, NULL)
#define TEXTS(T, c, n, M, p, most, n_most) \
    FIELD_(WIRE_STR, T, c, M, p, ITEM_(T, c), offsetof(struct T, n), WIRE_NONE, most, n_most, NULL)
#define SUBS(T, c, n, M, p, n_most, sub) \
    FIELD_(WIRE_MSG, T, c, M, p, ITEM_(T, c), offsetof(struct T, n), WIRE_NONE, 0, n_most, sub)

#define MESSAGE(T, rows)                                           \
    {                                                              \
        (rows), sizeof(rows) / sizeof((rows)[0]), sizeof(struct T) \
    }

/* --- joining ------------------------------------------------------------------------------------
 */
static const struct wire_field join_request_fields[] = {
    TEXT(join_request, secret, JoinRequest, secret, TEXT_MAX),
    TEXT(join_request, csr_pem, JoinRequest, csr_pem, PEM_MAX),
    TEXT(join_request, name, JoinRequest, name, TEXT_MAX),
};
const struct wire_message message_join_request = MESSAGE(join_request, join_request_fields);

static const struct wire_field join_response_fields[] = {
    ONE(WIRE_ID, join_response, node_id, JoinResponse, node_id),
    TEXT(join_response, certificate_pem, JoinResponse, certificate_pem, PEM_MAX),
    TEXT(join_response, ca_pem, JoinResponse, ca_pem, PEM_MAX),
    TEXT(join_response, cluster, JoinResponse, cluster, TEXT_MAX),
    TEXTS(join_response, controllers.v, controllers.n, JoinResponse, controllers, TEXT_MAX,
          LIMIT_ADDRESSES),
};
const struct wire_message message_join_response = MESSAGE(join_response, join_response_fields);

static const struct wire_field renew_request_fields[] = {
    TEXT(renew_request, csr_pem, RenewRequest, csr_pem, PEM_MAX),
};
const struct wire_message message_renew_request = MESSAGE(renew_request, renew_request_fields);

static const struct wire_field renew_response_fields[] = {
    TEXT(renew_response, certificate_pem, RenewResponse, certificate_pem, PEM_MAX),
    TEXT(renew_response, ca_pem, RenewResponse, ca_pem, PEM_MAX),
};
const struct wire_message message_renew_response = MESSAGE(renew_response, renew_response_fields);

/* --- from the agent -----------------------------------------------------------------------------
 */
static const struct wire_field attribute_fields[] = {
    TEXT(spec_pair, name, Attribute, name, TEXT_MAX),
    TEXT(spec_pair, value, Attribute, value, TEXT_MAX),
};
static const struct wire_message attribute = MESSAGE(spec_pair, attribute_fields);

static const struct wire_field inventory_fields[] = {
    ONE(WIRE_ID, inventory_item, task, TaskInventory, task_id),
    ENUM(inventory_item, status, TaskInventory, status, WIRE_STATUS_N),
};
static const struct wire_message inventory = MESSAGE(inventory_item, inventory_fields);

static const struct wire_field hello_fields[] = {
    ONE(WIRE_U32, hello, protocol, Hello, protocol),
    TEXT(hello, name, Hello, name, TEXT_MAX),
    TEXT(hello, address, Hello, address, TEXT_MAX),
    ONE(WIRE_U32, hello, cpu, Hello, cpu),
    ONE(WIRE_U32, hello, memory, Hello, memory),
    ONE(WIRE_U32, hello, gpus, Hello, gpus),
    ONE(WIRE_U32, hello, port_min, Hello, port_min),
    ONE(WIRE_U32, hello, port_max, Hello, port_max),
    MANY(WIRE_U16, hello, reserved_tcp, n_reserved_tcp, Hello, reserved_tcp, UINT16_MAX),
    MANY(WIRE_U16, hello, reserved_udp, n_reserved_udp, Hello, reserved_udp, UINT16_MAX),
    SUBS(hello, attributes, n_attributes, Hello, attributes, LIMIT_ATTRIBUTES, &attribute),
    TEXT(hello, agent_version, Hello, agent_version, TEXT_MAX),
    TEXT(hello, runtime_version, Hello, runtime_version, TEXT_MAX),
    SUBS(hello, tasks, n_tasks, Hello, tasks, LIMIT_ASSIGN, &inventory),
    TEXT(hello, cluster, Hello, cluster, TEXT_MAX),
};
static const struct wire_message hello_message = MESSAGE(hello, hello_fields);

static const struct wire_field heartbeat_fields[] = {
    ONE(WIRE_U64, heartbeat, number, Heartbeat, number),
    ONE(WIRE_U32, heartbeat, cpu_used, Heartbeat, cpu_used),
    ONE(WIRE_U32, heartbeat, memory_used, Heartbeat, memory_used),
    ONE(WIRE_U32, heartbeat, tasks_running, Heartbeat, tasks_running),
    ONE(WIRE_BOOL, heartbeat, census, Heartbeat, census),
    MANY(WIRE_ID, heartbeat, held, n_held, Heartbeat, held, LIMIT_ASSIGN),
};
static const struct wire_message heartbeat_message = MESSAGE(heartbeat, heartbeat_fields);

static const struct wire_field container_report_fields[] = {
    ONE(WIRE_U32, container_report, index, ContainerReport, index),
    ENUM(container_report, status, ContainerReport, status, WIRE_CONTAINER_N),
    ENUM(container_report, health, ContainerReport, health, HEALTH_N),
    OPT(WIRE_S32, container_report, exit_code, has_exit_code, ContainerReport, exit_code),
    TEXT(container_report, reason, ContainerReport, reason, TEXT_MAX),
    TEXT(container_report, runtime_id, ContainerReport, runtime_id, TEXT_MAX),
    TEXT(container_report, image_digest, ContainerReport, image_digest, TEXT_MAX),
};
static const struct wire_message container_report_message =
    MESSAGE(container_report, container_report_fields);

static const struct wire_field task_report_fields[] = {
    ONE(WIRE_ID, task_report, task, TaskReport, task_id),
    ENUM(task_report, status, TaskReport, status, WIRE_STATUS_N),
    ENUM(task_report, stop_code, TaskReport, stop_code, WIRE_STOP_CODE_N),
    ENUM(task_report, health, TaskReport, health, HEALTH_N),
    TEXT(task_report, reason, TaskReport, reason, TEXT_MAX),
    ONE(WIRE_I64, task_report, pull_started_at, TaskReport, pull_started_at),
    ONE(WIRE_I64, task_report, pull_stopped_at, TaskReport, pull_stopped_at),
    ONE(WIRE_I64, task_report, started_at, TaskReport, started_at),
    ONE(WIRE_I64, task_report, stopped_at, TaskReport, stopped_at),
    SUBS(task_report, containers, n_containers, TaskReport, containers, LIMIT_CONTAINERS,
         &container_report_message),
};
static const struct wire_message task_report_message = MESSAGE(task_report, task_report_fields);

static const struct wire_field reports_fields[] = {
    ONE(WIRE_U64, reports, number, Reports, number),
    SUBS(reports, tasks, n_tasks, Reports, tasks, LIMIT_ASSIGN, &task_report_message),
};
static const struct wire_message reports_message = MESSAGE(reports, reports_fields);

static const struct wire_field assignments_ack_fields[] = {
    ONE(WIRE_U64, numbered, number, AssignmentsAck, number),
};
static const struct wire_message assignments_ack = MESSAGE(numbered, assignments_ack_fields);

static const struct wire_field log_chunk_fields[] = {
    ONE(WIRE_U64, log_chunk, request, LogChunk, request),
    BYTES(log_chunk, data, LogChunk, data, LIMIT_SPEC),
    ONE(WIRE_BOOL, log_chunk, end, LogChunk, end),
    TEXT(log_chunk, error, LogChunk, error, TEXT_MAX),
};
static const struct wire_message log_chunk_message = MESSAGE(log_chunk, log_chunk_fields);

static const struct wire_field agent_fields[] = {
    PTR(agent_message, hello, AgentMessage, hello, &hello_message),
    PTR(agent_message, heartbeat, AgentMessage, heartbeat, &heartbeat_message),
    PTR(agent_message, reports, AgentMessage, reports, &reports_message),
    PTR(agent_message, assignments_ack, AgentMessage, assignments_ack, &assignments_ack),
    PTR(agent_message, log_chunk, AgentMessage, log_chunk, &log_chunk_message),
};
static const struct wire_message agent_table = MESSAGE(agent_message, agent_fields);

/* --- from the controller ------------------------------------------------------------------------
 */
static const struct wire_field welcome_fields[] = {
    ONE(WIRE_U64, welcome, session, Welcome, session),
    ONE(WIRE_U32, welcome, heartbeat_interval_ms, Welcome, heartbeat_interval_ms),
    ONE(WIRE_U32, welcome, lease_ms, Welcome, lease_ms),
    TEXT(welcome, cluster, Welcome, cluster, TEXT_MAX),
    TEXT(welcome, region, Welcome, region, TEXT_MAX),
    TEXT(welcome, account, Welcome, account, TEXT_MAX),
    TEXTS(welcome, controllers.v, controllers.n, Welcome, controllers, TEXT_MAX, LIMIT_ADDRESSES),
    ONE(WIRE_U64, welcome, epoch, Welcome, epoch),
};
static const struct wire_message welcome_message = MESSAGE(welcome, welcome_fields);

static const struct wire_field redirect_fields[] = {
    TEXT(redirect, leader, Redirect, leader, TEXT_MAX),
    TEXTS(redirect, controllers.v, controllers.n, Redirect, controllers, TEXT_MAX, LIMIT_ADDRESSES),
};
static const struct wire_message redirect_message = MESSAGE(redirect, redirect_fields);

static const struct wire_field heartbeat_ack_fields[] = {
    ONE(WIRE_U64, heartbeat_ack, number, HeartbeatAck, number),
    TEXTS(heartbeat_ack, controllers.v, controllers.n, HeartbeatAck, controllers, TEXT_MAX,
          LIMIT_ADDRESSES),
};
static const struct wire_message heartbeat_ack = MESSAGE(heartbeat_ack, heartbeat_ack_fields);

static const struct wire_field reports_ack_fields[] = {
    ONE(WIRE_U64, numbered, number, ReportsAck, number),
};
static const struct wire_message reports_ack = MESSAGE(numbered, reports_ack_fields);

static const struct wire_field log_cancel_fields[] = {
    ONE(WIRE_U64, numbered, number, LogCancel, request),
};
static const struct wire_message log_cancel = MESSAGE(numbered, log_cancel_fields);

static const struct wire_field log_pause_fields[] = {
    ONE(WIRE_U64, numbered, number, LogPause, request),
};
static const struct wire_message log_pause = MESSAGE(numbered, log_pause_fields);

static const struct wire_field log_resume_fields[] = {
    ONE(WIRE_U64, numbered, number, LogResume, request),
};
static const struct wire_message log_resume = MESSAGE(numbered, log_resume_fields);

static const struct wire_field assignment_fields[] = {
    ONE(WIRE_ID, assignment, task, Assignment, task_id),
    ONE(WIRE_BOOL, assignment, stop, Assignment, stop),
    TEXT(assignment, stop_reason, Assignment, stop_reason, TEXT_MAX),
    BYTES(assignment, spec, Assignment, spec, LIMIT_SPEC),
};
static const struct wire_message assignment_message = MESSAGE(assignment, assignment_fields);

static const struct wire_field assignments_fields[] = {
    ONE(WIRE_U64, assignments, number, Assignments, number),
    ONE(WIRE_BOOL, assignments, full, Assignments, full),
    ONE(WIRE_BOOL, assignments, full_end, Assignments, full_end),
    SUBS(assignments, tasks, n_tasks, Assignments, tasks, LIMIT_ASSIGN, &assignment_message),
    MANY(WIRE_ID, assignments, forget, n_forget, Assignments, forget, LIMIT_ASSIGN),
};
static const struct wire_message assignments_message = MESSAGE(assignments, assignments_fields);

static const struct wire_field log_request_fields[] = {
    ONE(WIRE_U64, log_request, request, LogRequest, request),
    ONE(WIRE_ID, log_request, task, LogRequest, task_id),
    TEXT(log_request, container, LogRequest, container, SPEC_NAME_MAX),
    ONE(WIRE_BOOL, log_request, follow, LogRequest, follow),
    ONE(WIRE_I64, log_request, since, LogRequest, since),
    ONE(WIRE_U32, log_request, tail, LogRequest, tail),
};
static const struct wire_message log_request_message = MESSAGE(log_request, log_request_fields);

static const struct wire_field controller_fields[] = {
    PTR(controller_message, welcome, ControllerMessage, welcome, &welcome_message),
    PTR(controller_message, redirect, ControllerMessage, redirect, &redirect_message),
    PTR(controller_message, heartbeat_ack, ControllerMessage, heartbeat_ack, &heartbeat_ack),
    PTR(controller_message, reports_ack, ControllerMessage, reports_ack, &reports_ack),
    PTR(controller_message, assignments, ControllerMessage, assignments, &assignments_message),
    PTR(controller_message, log_request, ControllerMessage, log_request, &log_request_message),
    PTR(controller_message, log_cancel, ControllerMessage, log_cancel, &log_cancel),
    PTR(controller_message, log_pause, ControllerMessage, log_pause, &log_pause),
    PTR(controller_message, log_resume, ControllerMessage, log_resume, &log_resume),
};
static const struct wire_message controller_table = MESSAGE(controller_message, controller_fields);

/* --- specifications -----------------------------------------------------------------------------
 */
static const struct wire_field pair_fields[] = {
    TEXT(spec_pair, name, KeyValue, name, LIMIT_STRING),
    TEXT(spec_pair, value, KeyValue, value, LIMIT_STRING),
};
static const struct wire_message pair = MESSAGE(spec_pair, pair_fields);

static const struct wire_field port_fields[] = {
    ONE(WIRE_U16, spec_port, container_port, Port, container_port),
    ONE(WIRE_U16, spec_port, host_port, Port, host_port),
    ENUM(spec_port, protocol, Port, protocol, SPEC_PROTOCOL_N),
    TEXT(spec_port, name, Port, name, TEXT_MAX),
};
static const struct wire_message port = MESSAGE(spec_port, port_fields);

static const struct wire_field host_fields[] = {
    TEXT(spec_host, name, Host, name, TEXT_MAX),
    TEXT(spec_host, ip, Host, ip, TEXT_MAX),
};
static const struct wire_message host = MESSAGE(spec_host, host_fields);

static const struct wire_field link_fields[] = {
    TEXT(spec_link, container, Link, container, TEXT_MAX),
    TEXT(spec_link, alias, Link, alias, TEXT_MAX),
};
static const struct wire_message link_message = MESSAGE(spec_link, link_fields);

static const struct wire_field ulimit_fields[] = {
    TEXT(spec_ulimit, name, Ulimit, name, TEXT_MAX),
    ONE(WIRE_S64, spec_ulimit, soft, Ulimit, soft),
    ONE(WIRE_S64, spec_ulimit, hard, Ulimit, hard),
};
static const struct wire_message ulimit_message = MESSAGE(spec_ulimit, ulimit_fields);

static const struct wire_field tmpfs_fields[] = {
    TEXT(spec_tmpfs, path, Tmpfs, path, LIMIT_STRING),
    ONE(WIRE_U32, spec_tmpfs, size_mib, Tmpfs, size_mib),
    TEXTS(spec_tmpfs, options, n_options, Tmpfs, options, TEXT_MAX, LIST_MAX),
};
static const struct wire_message tmpfs = MESSAGE(spec_tmpfs, tmpfs_fields);

static const struct wire_field mount_fields[] = {
    TEXT(spec_mount, volume, Mount, volume, TEXT_MAX),
    TEXT(spec_mount, path, Mount, path, LIMIT_STRING),
    ONE(WIRE_BOOL, spec_mount, read_only, Mount, read_only),
};
static const struct wire_message mount = MESSAGE(spec_mount, mount_fields);

static const struct wire_field volumes_from_fields[] = {
    TEXT(spec_volumes_from, container, VolumesFrom, container, TEXT_MAX),
    ONE(WIRE_BOOL, spec_volumes_from, read_only, VolumesFrom, read_only),
};
static const struct wire_message volumes_from = MESSAGE(spec_volumes_from, volumes_from_fields);

static const struct wire_field log_fields[] = {
    TEXT(spec_log, driver, LogConfig, driver, TEXT_MAX),
    SUBS(spec_log, options, n_options, LogConfig, options, LIST_MAX, &pair),
};
static const struct wire_message log_config = MESSAGE(spec_log, log_fields);

static const struct wire_field health_fields[] = {
    TEXTS(spec_health, command, n_command, HealthCheck, command, LIMIT_STRING, LIST_MAX),
    ONE(WIRE_U32, spec_health, interval_s, HealthCheck, interval_s),
    ONE(WIRE_U32, spec_health, timeout_s, HealthCheck, timeout_s),
    ONE(WIRE_U32, spec_health, retries, HealthCheck, retries),
    ONE(WIRE_U32, spec_health, start_period_s, HealthCheck, start_period_s),
};
static const struct wire_message health_check = MESSAGE(spec_health, health_fields);

static const struct wire_field depends_fields[] = {
    TEXT(spec_depends, container, Depends, container, TEXT_MAX),
    ENUM(spec_depends, condition, Depends, condition, SPEC_COND_N),
};
static const struct wire_message depends = MESSAGE(spec_depends, depends_fields);

#define C_ONE(K, f)    ONE(K, container_spec, f, ContainerSpec, f)
#define C_TEXT(f)      TEXT(container_spec, f, ContainerSpec, f, LIMIT_STRING)
#define C_TEXTS(f)     TEXTS(container_spec, f, n_##f, ContainerSpec, f, LIMIT_STRING, LIST_MAX)
#define C_SUBS(f, sub) SUBS(container_spec, f, n_##f, ContainerSpec, f, LIST_MAX, sub)
static const struct wire_field container_fields[] = {
    C_TEXT(name),
    C_TEXT(image),
    C_ONE(WIRE_BOOL, essential),
    C_ONE(WIRE_U32, cpu_units),
    C_ONE(WIRE_U32, memory_mib),
    C_ONE(WIRE_U32, memory_reservation_mib),
    C_ONE(WIRE_U32, shm_size_mib),
    C_TEXTS(entry_point),
    C_TEXTS(command),
    C_SUBS(environment, &pair),
    C_TEXT(working_directory),
    C_TEXT(user),
    C_TEXT(hostname),
    C_SUBS(extra_hosts, &host),
    C_SUBS(links, &link_message),
    C_TEXTS(dns_servers),
    C_TEXTS(dns_search),
    C_ONE(WIRE_BOOL, readonly_root_filesystem),
    C_ONE(WIRE_BOOL, privileged),
    C_ONE(WIRE_BOOL, init),
    C_TEXTS(cap_add),
    C_TEXTS(cap_drop),
    C_SUBS(ulimits, &ulimit_message),
    C_SUBS(sysctls, &pair),
    C_SUBS(tmpfs, &tmpfs),
    C_SUBS(ports, &port),
    C_SUBS(mounts, &mount),
    C_SUBS(volumes_from, &volumes_from),
    SUB(container_spec, log, ContainerSpec, log, &log_config),
    SUB(container_spec, health, ContainerSpec, health, &health_check),
    C_SUBS(depends_on, &depends),
    C_SUBS(labels, &pair),
    C_ONE(WIRE_U32, start_timeout_s),
    C_ONE(WIRE_U32, stop_timeout_s),
};
static const struct wire_message container_message = MESSAGE(container_spec, container_fields);

static const struct wire_field volume_fields[] = {
    TEXT(spec_volume, name, Volume, name, TEXT_MAX),
    ENUM(spec_volume, kind, Volume, kind, SPEC_VOLUME_KIND_N),
    TEXT(spec_volume, host_path, Volume, host_path, LIMIT_STRING),
};
static const struct wire_message volume = MESSAGE(spec_volume, volume_fields);

static const struct wire_field spec_fields[] = {
    TEXT(task_spec, arn, TaskSpec, arn, TEXT_MAX),
    TEXT(task_spec, cluster, TaskSpec, cluster, TEXT_MAX),
    TEXT(task_spec, family, TaskSpec, family, TEXT_MAX),
    ONE(WIRE_U32, task_spec, revision, TaskSpec, revision),
    TEXT(task_spec, service, TaskSpec, service, TEXT_MAX),
    TEXT(task_spec, group, TaskSpec, group, TEXT_MAX),
    ONE(WIRE_U64, task_spec, generation, TaskSpec, generation),
    ENUM(task_spec, net_mode, TaskSpec, network_mode, NET_MODE_N),
    ONE(WIRE_U32, task_spec, cpu_units, TaskSpec, cpu_units),
    ONE(WIRE_U32, task_spec, memory_mib, TaskSpec, memory_mib),
    SUBS(task_spec, containers, n_containers, TaskSpec, containers, LIMIT_CONTAINERS,
         &container_message),
    SUBS(task_spec, volumes, n_volumes, TaskSpec, volumes, LIMIT_VOLUMES, &volume),
};
static const struct wire_message spec_message = MESSAGE(task_spec, spec_fields);

/* --- calls --------------------------------------------------------------------------------------
 */

/* Both kinds of message are a row of pointers of which one is set. */
static int one_of(const struct wire_message *m, const void *at, struct err *err)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->n_fields; i++) {
        const void *member;
        memcpy(&member, (const uint8_t *)at + m->fields[i].offset, sizeof member);
        n += member != NULL;
    }
    return n == 1 ? 0 : err_set(err, ERR_PROTOCOL, "message with %u contents instead of one", n);
}

int message_encode_agent(const struct agent_message *m, struct buf *to, struct err *err)
{
    return wire_encode(&agent_table, m, to, err);
}

int message_decode_agent(struct str bytes, struct arena *arena, struct agent_message *ret,
                         struct err *err)
{
    int rv = wire_decode(&agent_table, bytes, arena, ret, err);
    return rv != 0 ? rv : one_of(&agent_table, ret, err);
}

int message_encode_controller(const struct controller_message *m, struct buf *to, struct err *err)
{
    return wire_encode(&controller_table, m, to, err);
}

int message_decode_controller(struct str bytes, struct arena *arena, struct controller_message *ret,
                              struct err *err)
{
    int rv = wire_decode(&controller_table, bytes, arena, ret, err);
    return rv != 0 ? rv : one_of(&controller_table, ret, err);
}

int message_encode_spec(const struct task_spec *spec, struct buf *to, struct err *err)
{
    return wire_encode(&spec_message, spec, to, err);
}

/* Docker's names of what spec_log has as numbers. */
static int log_limits(struct container_spec *c, struct err *err)
{
    for (uint32_t i = 0; i < c->log.n_options; i++) {
        const struct spec_pair *o = &c->log.options[i];
        uint64_t n = 0;
        if (strcmp(o->name, "max-size") == 0 &&
            !conf_parse_size(str_of(o->value), &c->log.max_size)) {
            return err_set(err, ERR_INVALID,
                           "container '%s': log option max-size: '%s' is no size, as 10m is",
                           c->name, o->value);
        }
        if (strcmp(o->name, "max-file") == 0) {
            if (!str_u64(str_of(o->value), &n) || n == 0 || n > 1000) {
                return err_set(err, ERR_INVALID,
                               "container '%s': log option max-file: must be 1 to 1000", c->name);
            }
            c->log.max_files = (uint32_t)n;
        }
    }
    return 0;
}

int message_decode_spec(struct str bytes, struct id task, struct arena *arena,
                        const struct task_spec **ret, struct err *err)
{
    struct task_spec *spec = arena_alloc(arena, sizeof *spec);
    int rv = wire_decode(&spec_message, bytes, arena, spec, err);
    if (rv != 0) {
        return rv;
    }
    spec->id = task;
    for (uint32_t i = 0; i < spec->n_containers; i++) { /* Ours to change until it is returned. */
        rv = log_limits((struct container_spec *)(uintptr_t)&spec->containers[i], err);
        if (rv != 0) {
            return rv;
        }
    }
    *ret = spec;
    return 0;
}
