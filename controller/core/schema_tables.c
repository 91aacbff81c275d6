/* The fields of every row and command, in the order in which they are hashed. Only ever append to
 * a table: the order is part of the digest that replicas of different versions compare. */
#include "controller/core/schema_tables.h"

/* The C type each field type stands for; a wrong one does not compile. */
#define SIZE_BOOL sizeof(bool)
#define SIZE_U8   sizeof(uint8_t)
#define SIZE_U16  sizeof(uint16_t)
#define SIZE_U32  sizeof(uint32_t)
#define SIZE_U64  sizeof(uint64_t)
#define SIZE_I32  sizeof(int32_t)
#define SIZE_I64  sizeof(int64_t)
#define SIZE_STR  sizeof(struct str)
#define SIZE_ID   sizeof(struct id)

#define MEMBER(T, m) (((T *)0)->m)
#define OFFSET_IF(T, m, size) \
    (offsetof(T, m) + 0 * sizeof(char[sizeof MEMBER(T, m) == (size) ? 1 : -1]))
#define F(T, m, t)                                                         \
    {                                                                      \
#m, FIELD_##t, 0, false, OFFSET_IF(T, m, SIZE_##t), 0, NULL, false \
    }
#define DERIVED(T, m, t)                                                  \
    {                                                                     \
#m, FIELD_##t, 0, true, OFFSET_IF(T, m, SIZE_##t), 0, NULL, false \
    }
#define STRUCT(T, m, s)                                            \
    {                                                              \
#m, FIELD_STRUCT, 0, false, offsetof(T, m), 0, &(s), false \
    }
#define DERIVED_STRUCT(T, m, s)                                   \
    {                                                             \
#m, FIELD_STRUCT, 0, true, offsetof(T, m), 0, &(s), false \
    }
#define ARRAY(T, m, count, s)                                                                 \
    {                                                                                         \
#m, FIELD_ARRAY, 0, false, offsetof(T, m), OFFSET_IF(T, count, SIZE_U32), &(s), false \
    }
/* See struct field. */
#define LATE(T, m, t)                                                     \
    {                                                                     \
#m, FIELD_##t, 0, false, OFFSET_IF(T, m, SIZE_##t), 0, NULL, true \
    }
#define LATE_ARRAY(T, m, count, s)                                                           \
    {                                                                                        \
#m, FIELD_ARRAY, 0, false, offsetof(T, m), OFFSET_IF(T, count, SIZE_U32), &(s), true \
    }
#define TAGS(T, m)                                                            \
    {                                                                         \
#m, FIELD_ARRAY, 0, false, offsetof(T, m) + offsetof(struct tags, v), \
            offsetof(T, m) + offsetof(struct tags, n), &tag_schema, false     \
    }
#define SCALARS(T, m, count, t)                                                                   \
    {                                                                                             \
#m, FIELD_SCALARS, FIELD_##t, false, offsetof(T, m), OFFSET_IF(T, count, SIZE_U32), NULL, \
            false                                                                                 \
    }

#define SCHEMA(variable, message, T, fields_)                           \
    static const struct schema variable = {message, sizeof(T), fields_, \
                                           sizeof(fields_) / sizeof((fields_)[0])}

/* --- shared parts ----------------------------------------------------------------------------- */

static const struct field tag_fields[] = {
    F(struct tag, key, STR),
    F(struct tag, value, STR),
};
SCHEMA(tag_schema, "Tag", struct tag, tag_fields);

static const struct field attribute_fields[] = {
    F(struct attribute, name, STR),
    F(struct attribute, value, STR),
};
SCHEMA(attribute_schema, "Attribute", struct attribute, attribute_fields);

static const struct field constraint_fields[] = {
    F(struct constraint, type, U8),
    F(struct constraint, expression, STR),
};
SCHEMA(constraint_schema, "Constraint", struct constraint, constraint_fields);

static const struct field strategy_fields[] = {
    F(struct strategy, type, U8),
    F(struct strategy, field, STR),
};
SCHEMA(strategy_schema, "Strategy", struct strategy, strategy_fields);

static const struct field provider_name_fields[] = {
    F(struct provider_name, name, STR),
};
SCHEMA(provider_name_schema, "ProviderName", struct provider_name, provider_name_fields);

static const struct field provider_share_fields[] = {
    F(struct provider_share, provider, STR),
    F(struct provider_share, n_base, U32),
    F(struct provider_share, weight, U32),
};
SCHEMA(provider_share_schema, "ProviderShare", struct provider_share, provider_share_fields);

static const struct field binding_fields[] = {
    F(struct binding, container_port, U16),
    F(struct binding, host_port, U16),
    F(struct binding, proto, U8),
};
SCHEMA(binding_schema, "Binding", struct binding, binding_fields);

static const struct field links_fields[] = {
    DERIVED(struct task_links, prev, U32),
    DERIVED(struct task_links, next, U32),
};
SCHEMA(links_schema, "TaskLinks", struct task_links, links_fields);

/* --- rows ---------------------------------------------------------------------------------------
 */

static const struct field cluster_fields[] = {
    F(struct cluster, name, STR),
    F(struct cluster, status, U8),
    TAGS(struct cluster, tags),
    F(struct cluster, spec, STR),
    F(struct cluster, created_at, I64),
    F(struct cluster, version, U64),
    F(struct cluster, deleted_at, I64),
    LATE_ARRAY(struct cluster, providers, n_providers, provider_name_schema),
    DERIVED(struct cluster, n_nodes, U32),
    DERIVED(struct cluster, n_services, U32),
    DERIVED(struct cluster, n_running, U32),
    DERIVED(struct cluster, n_pending, U32),
    DERIVED(struct cluster, n_draining, U32),
    DERIVED(struct cluster, n_active_tasks, U32),
    DERIVED(struct cluster, n_refs, U32),
    DERIVED_STRUCT(struct cluster, in_gc, links_schema),
};
SCHEMA(cluster_schema, "Cluster", struct cluster, cluster_fields);

static const struct field port_fields[] = {
    F(struct port_mapping, container_port, U16),
    F(struct port_mapping, host_port, U16),
    F(struct port_mapping, range, U16),
    F(struct port_mapping, proto, U8),
};
SCHEMA(port_schema, "PortMapping", struct port_mapping, port_fields);

static const struct field summary_fields[] = {
    F(struct container_summary, name, STR),
    F(struct container_summary, essential, BOOL),
    F(struct container_summary, cpu, U32),
    F(struct container_summary, memory, U32),
    F(struct container_summary, memory_reservation, U32),
    F(struct container_summary, gpus, U32),
    ARRAY(struct container_summary, ports, n_ports, port_schema),
};
SCHEMA(summary_schema, "ContainerSummary", struct container_summary, summary_fields);

static const struct field taskdef_fields[] = {
    F(struct taskdef, family, STR),
    F(struct taskdef, revision, U32),
    F(struct taskdef, status, U8),
    F(struct taskdef, network_mode, U8),
    F(struct taskdef, cpu, U32),
    F(struct taskdef, memory, U32),
    F(struct taskdef, gpus, U32),
    ARRAY(struct taskdef, containers, n_containers, summary_schema),
    ARRAY(struct taskdef, constraints, n_constraints, constraint_schema),
    F(struct taskdef, spec, STR),
    TAGS(struct taskdef, tags),
    F(struct taskdef, registered_at, I64),
    F(struct taskdef, deregistered_at, I64),
    F(struct taskdef, delete_requested_at, I64),
    F(struct taskdef, registered_by, STR),
    F(struct taskdef, version, U64),
    DERIVED(struct taskdef, n_uses, U32),
    DERIVED(struct taskdef, n_refs, U32),
    DERIVED_STRUCT(struct taskdef, in_family, links_schema),
    DERIVED_STRUCT(struct taskdef, in_gc, links_schema),
};
SCHEMA(taskdef_schema, "Taskdef", struct taskdef, taskdef_fields);

static const struct field family_fields[] = {
    F(struct family, name, STR),
    F(struct family, last_revision, U32),
    F(struct family, version, U64),
    DERIVED(struct family, first_active, U32),
    DERIVED(struct family, last_active, U32),
};
SCHEMA(family_schema, "Family", struct family, family_fields);

static const struct field event_fields[] = {
    F(struct service_event, id, ID),
    F(struct service_event, at, I64),
    F(struct service_event, message, STR),
};
SCHEMA(event_schema, "ServiceEvent", struct service_event, event_fields);

static const struct field deployment_fields[] = {
    F(struct deployment, id, U64),         F(struct deployment, taskdef, U32),
    F(struct deployment, created_at, I64), F(struct deployment, updated_at, I64),
    F(struct deployment, rollout, U8),     F(struct deployment, n_failed, U32),
};
SCHEMA(deployment_schema, "Deployment", struct deployment, deployment_fields);

static const struct field service_fields[] = {
    F(struct service, cluster, U32),
    F(struct service, name, STR),
    F(struct service, status, U8),
    F(struct service, scheduling, U8),
    F(struct service, launch_type, U8),
    F(struct service, propagate_tags, U8),
    F(struct service, desired, U32),
    F(struct service, min_percent, U32),
    F(struct service, max_percent, U32),
    ARRAY(struct service, constraints, n_constraints, constraint_schema),
    ARRAY(struct service, strategies, n_strategies, strategy_schema),
    STRUCT(struct service, primary, deployment_schema),
    ARRAY(struct service, events, n_events, event_schema),
    TAGS(struct service, tags),
    F(struct service, spec, STR),
    F(struct service, created_at, I64),
    F(struct service, created_by, STR),
    F(struct service, n_start_failures, U32),
    F(struct service, retry_at, I64),
    F(struct service, steady, BOOL),
    F(struct service, version, U64),
    F(struct service, deleted_at, I64),
    LATE_ARRAY(struct service, providers, n_providers, provider_share_schema),
    DERIVED(struct service, n_running, U32),
    DERIVED(struct service, n_pending, U32),
    DERIVED(struct service, first_task, U32),
    DERIVED(struct service, n_active, U32),
    DERIVED(struct service, n_wanted, U32),
    DERIVED(struct service, n_wanted_new, U32),
    DERIVED(struct service, n_unhealthy, U32),
    DERIVED_STRUCT(struct service, in_gc, links_schema),
};
SCHEMA(service_schema, "Service", struct service, service_fields);

static const struct field node_fields[] = {
    F(struct node, id, ID),
    F(struct node, cluster, U32),
    F(struct node, name, STR),
    F(struct node, address, STR),
    F(struct node, status, U8),
    F(struct node, connected, BOOL),
    F(struct node, session, U64),
    F(struct node, cpu, U32),
    F(struct node, memory, U32),
    F(struct node, gpus, U32),
    F(struct node, port_min, U16),
    F(struct node, port_max, U16),
    SCALARS(struct node, reserved_tcp, n_reserved_tcp, U16),
    SCALARS(struct node, reserved_udp, n_reserved_udp, U16),
    ARRAY(struct node, attributes, n_attributes, attribute_schema),
    F(struct node, agent_version, STR),
    F(struct node, agent_hash, STR),
    F(struct node, runtime_version, STR),
    TAGS(struct node, tags),
    F(struct node, registered_at, I64),
    F(struct node, disconnected_at, I64),
    F(struct node, version, U64),
    F(struct node, deregistered_at, I64),
    DERIVED(struct node, cpu_used, U32),
    DERIVED(struct node, memory_used, U32),
    DERIVED(struct node, gpus_used, U32),
    DERIVED(struct node, n_running, U32),
    DERIVED(struct node, n_pending, U32),
    DERIVED(struct node, first_task, U32),
    DERIVED(struct node, n_active, U32),
    DERIVED_STRUCT(struct node, in_gc, links_schema),
};
SCHEMA(node_schema, "Node", struct node, node_fields);

static const struct field container_fields[] = {
    F(struct container, status, U8),
    F(struct container, health, U8),
    F(struct container, has_exit_code, BOOL),
    F(struct container, exit_code, I32),
    ARRAY(struct container, bindings, n_bindings, binding_schema),
    F(struct container, reason, STR),
    F(struct container, runtime_id, STR),
    F(struct container, image_digest, STR),
};
SCHEMA(container_schema, "Container", struct container, container_fields);

static const struct field task_fields[] = {
    F(struct task, id, ID),
    F(struct task, cluster, U32),
    F(struct task, service, U32),
    F(struct task, taskdef, U32),
    F(struct task, node, U32),
    F(struct task, status, U8),
    F(struct task, desired, U8),
    F(struct task, launch_type, U8),
    F(struct task, stop_code, U8),
    F(struct task, health, U8),
    F(struct task, cpu, U32),
    F(struct task, memory, U32),
    F(struct task, gpus, U32),
    F(struct task, deployment, U64),
    F(struct task, created_at, I64),
    F(struct task, pull_started_at, I64),
    F(struct task, pull_stopped_at, I64),
    F(struct task, started_at, I64),
    F(struct task, stopping_at, I64),
    F(struct task, stopped_at, I64),
    F(struct task, group, STR),
    F(struct task, started_by, STR),
    F(struct task, stop_reason, STR),
    F(struct task, overrides, STR),
    ARRAY(struct task, containers, n_containers, container_schema),
    TAGS(struct task, tags),
    F(struct task, version, U64),
    DERIVED_STRUCT(struct task, in_service, links_schema),
    DERIVED_STRUCT(struct task, on_node, links_schema),
    DERIVED_STRUCT(struct task, in_gc, links_schema),
    LATE(struct task, priority, U8),
};
SCHEMA(task_schema, "Task", struct task, task_fields);

static const struct field token_fields[] = {
    F(struct token, cluster, U32),    F(struct token, operation, U8),
    F(struct token, value, STR),      F(struct token, params_hash, U64),
    F(struct token, expires_at, I64), SCALARS(struct token, ids, n_ids, ID),
    F(struct token, version, U64),    DERIVED_STRUCT(struct token, in_gc, links_schema),
};
SCHEMA(token_schema, "Token", struct token, token_fields);

static const struct field join_fields[] = {
    F(struct join, secret_sha256, STR), F(struct join, cluster, U32),
    F(struct join, expires_at, I64),    F(struct join, uses_left, U32),
    F(struct join, version, U64),       DERIVED_STRUCT(struct join, in_gc, links_schema),
};
SCHEMA(join_schema, "Join", struct join, join_fields);

static const struct field provider_fields[] = {
    F(struct capacity_provider, name, STR),
    F(struct capacity_provider, status, U8),
    F(struct capacity_provider, spec, STR),
    TAGS(struct capacity_provider, tags),
    F(struct capacity_provider, created_at, I64),
    F(struct capacity_provider, updated_at, I64),
    F(struct capacity_provider, deleted_at, I64),
    F(struct capacity_provider, version, U64),
    DERIVED_STRUCT(struct capacity_provider, in_gc, links_schema),
};
SCHEMA(provider_schema, "CapacityProvider", struct capacity_provider, provider_fields);

static const struct field meta_fields[] = {
    F(struct meta, revision, U64), F(struct meta, now, I64),
    F(struct meta, digest, U64),   F(struct meta, feature_level, U32),
    F(struct meta, version, U64),  F(struct meta, cluster_id, ID),
    F(struct meta, epoch, U64),    F(struct meta, epoch_at, I64),
    F(struct meta, fenced, BOOL),
};
SCHEMA(meta_schema, "Meta", struct meta, meta_fields);

/* --- commands -----------------------------------------------------------------------------------
 */

static const struct field request_token_fields[] = {
    F(struct request_token, value, STR),
    F(struct request_token, params_hash, U64),
};
SCHEMA(request_token_schema, "RequestToken", struct request_token, request_token_fields);

static const struct field cmd_cluster_fields[] = {
    F(struct cmd_cluster, name, STR),
    F(struct cmd_cluster, spec, STR),
    F(struct cmd_cluster, has_spec, BOOL),
    TAGS(struct cmd_cluster, tags),
    F(struct cmd_cluster, has_providers, BOOL),
    ARRAY(struct cmd_cluster, providers, n_providers, provider_name_schema),
};
SCHEMA(cmd_cluster_schema, "CmdCluster", struct cmd_cluster, cmd_cluster_fields);

static const struct field cmd_name_fields[] = {
    F(struct cmd_name, name, STR),
};
SCHEMA(cmd_name_schema, "CmdName", struct cmd_name, cmd_name_fields);

static const struct field cmd_provider_fields[] = {
    F(struct cmd_provider, name, STR),
    F(struct cmd_provider, spec, STR),
    TAGS(struct cmd_provider, tags),
};
SCHEMA(cmd_provider_schema, "CmdProvider", struct cmd_provider, cmd_provider_fields);

static const struct field cmd_taskdef_register_fields[] = {
    STRUCT(struct cmd_taskdef_register, def, taskdef_schema),
};
SCHEMA(cmd_taskdef_register_schema, "CmdTaskdefRegister", struct cmd_taskdef_register,
       cmd_taskdef_register_fields);

static const struct field cmd_taskdef_ref_fields[] = {
    F(struct cmd_taskdef_ref, family, STR),
    F(struct cmd_taskdef_ref, revision, U32),
};
SCHEMA(cmd_taskdef_ref_schema, "CmdTaskdefRef", struct cmd_taskdef_ref, cmd_taskdef_ref_fields);

static const struct field cmd_service_create_fields[] = {
    F(struct cmd_service_create, cluster, STR),
    F(struct cmd_service_create, family, STR),
    F(struct cmd_service_create, revision, U32),
    STRUCT(struct cmd_service_create, service, service_schema),
    STRUCT(struct cmd_service_create, token, request_token_schema),
};
SCHEMA(cmd_service_create_schema, "CmdServiceCreate", struct cmd_service_create,
       cmd_service_create_fields);

static const struct field cmd_service_update_fields[] = {
    F(struct cmd_service_update, cluster, STR),
    F(struct cmd_service_update, name, STR),
    F(struct cmd_service_update, has_desired, BOOL),
    F(struct cmd_service_update, desired, U32),
    F(struct cmd_service_update, has_taskdef, BOOL),
    F(struct cmd_service_update, family, STR),
    F(struct cmd_service_update, revision, U32),
    F(struct cmd_service_update, force_new_deployment, BOOL),
    F(struct cmd_service_update, has_percents, BOOL),
    F(struct cmd_service_update, min_percent, U32),
    F(struct cmd_service_update, max_percent, U32),
    F(struct cmd_service_update, has_constraints, BOOL),
    ARRAY(struct cmd_service_update, constraints, n_constraints, constraint_schema),
    F(struct cmd_service_update, has_strategies, BOOL),
    ARRAY(struct cmd_service_update, strategies, n_strategies, strategy_schema),
    F(struct cmd_service_update, has_propagate_tags, BOOL),
    F(struct cmd_service_update, propagate_tags, U8),
    F(struct cmd_service_update, has_spec, BOOL),
    F(struct cmd_service_update, spec, STR),
    F(struct cmd_service_update, has_providers, BOOL),
    ARRAY(struct cmd_service_update, providers, n_providers, provider_share_schema),
};
SCHEMA(cmd_service_update_schema, "CmdServiceUpdate", struct cmd_service_update,
       cmd_service_update_fields);

static const struct field cmd_service_delete_fields[] = {
    F(struct cmd_service_delete, cluster, STR),
    F(struct cmd_service_delete, name, STR),
    F(struct cmd_service_delete, force, BOOL),
};
SCHEMA(cmd_service_delete_schema, "CmdServiceDelete", struct cmd_service_delete,
       cmd_service_delete_fields);

static const struct field plan_task_fields[] = {
    F(struct plan_task, id, ID),
    F(struct plan_task, taskdef, U32),
    F(struct plan_task, service, U32),
    F(struct plan_task, node, U32),
    F(struct plan_task, deployment, U64),
    F(struct plan_task, launch_type, U8),
    F(struct plan_task, cpu, U32),
    F(struct plan_task, memory, U32),
    F(struct plan_task, gpus, U32),
    F(struct plan_task, group, STR),
    F(struct plan_task, started_by, STR),
    F(struct plan_task, overrides, STR),
    TAGS(struct plan_task, tags),
    ARRAY(struct plan_task, bindings, n_bindings, binding_schema),
    SCALARS(struct plan_task, binding_owner, n_binding_owners, U8),
    LATE(struct plan_task, priority, U8),
};
SCHEMA(plan_task_schema, "PlanTask", struct plan_task, plan_task_fields);

static const struct field plan_stop_fields[] = {
    F(struct plan_stop, task, U32),
    F(struct plan_stop, id, ID),
    F(struct plan_stop, stop_code, U8),
    F(struct plan_stop, reason, STR),
};
SCHEMA(plan_stop_schema, "PlanStop", struct plan_stop, plan_stop_fields);

static const struct field plan_service_fields[] = {
    F(struct plan_service, service, U32),    F(struct plan_service, version, U64),
    F(struct plan_service, has_event, BOOL), F(struct plan_service, event, STR),
    F(struct plan_service, has_retry, BOOL), F(struct plan_service, n_start_failures, U32),
    F(struct plan_service, retry_at, I64),   F(struct plan_service, has_steady, BOOL),
    F(struct plan_service, steady, BOOL),    F(struct plan_service, has_rollout, BOOL),
    F(struct plan_service, rollout, U8),     F(struct plan_service, has_status, BOOL),
    F(struct plan_service, status, U8),      F(struct plan_service, has_desired, BOOL),
    F(struct plan_service, desired, U32),
};
SCHEMA(plan_service_schema, "PlanService", struct plan_service, plan_service_fields);

static const struct field cmd_plan_fields[] = {
    F(struct cmd_plan, cluster, U32),
    STRUCT(struct cmd_plan, token, request_token_schema),
    ARRAY(struct cmd_plan, tasks, n_tasks, plan_task_schema),
    ARRAY(struct cmd_plan, stops, n_stops, plan_stop_schema),
    ARRAY(struct cmd_plan, services, n_services, plan_service_schema),
};
SCHEMA(cmd_plan_schema, "CmdPlan", struct cmd_plan, cmd_plan_fields);

static const struct field cmd_task_stop_fields[] = {
    F(struct cmd_task_stop, cluster, STR),
    F(struct cmd_task_stop, id, ID),
    F(struct cmd_task_stop, stop_code, U8),
    F(struct cmd_task_stop, reason, STR),
};
SCHEMA(cmd_task_stop_schema, "CmdTaskStop", struct cmd_task_stop, cmd_task_stop_fields);

static const struct field container_report_fields[] = {
    F(struct container_report, index, U32),      F(struct container_report, status, U8),
    F(struct container_report, health, U8),      F(struct container_report, has_exit_code, BOOL),
    F(struct container_report, exit_code, I32),  F(struct container_report, reason, STR),
    F(struct container_report, runtime_id, STR), F(struct container_report, image_digest, STR),
};
SCHEMA(container_report_schema, "ContainerReport", struct container_report,
       container_report_fields);

static const struct field task_report_fields[] = {
    F(struct task_report, id, ID),
    F(struct task_report, node, ID),
    F(struct task_report, session, U64),
    F(struct task_report, status, U8),
    F(struct task_report, stop_code, U8),
    F(struct task_report, health, U8),
    F(struct task_report, reason, STR),
    F(struct task_report, pull_started_at, I64),
    F(struct task_report, pull_stopped_at, I64),
    F(struct task_report, started_at, I64),
    F(struct task_report, stopped_at, I64),
    ARRAY(struct task_report, containers, n_containers, container_report_schema),
};
SCHEMA(task_report_schema, "TaskReport", struct task_report, task_report_fields);

static const struct field cmd_task_reports_fields[] = {
    ARRAY(struct cmd_task_reports, v, n, task_report_schema),
};
SCHEMA(cmd_task_reports_schema, "CmdTaskReports", struct cmd_task_reports, cmd_task_reports_fields);

static const struct field cmd_node_register_fields[] = {
    F(struct cmd_node_register, cluster, STR),
    STRUCT(struct cmd_node_register, node, node_schema),
};
SCHEMA(cmd_node_register_schema, "CmdNodeRegister", struct cmd_node_register,
       cmd_node_register_fields);

static const struct field cmd_node_ref_fields[] = {
    F(struct cmd_node_ref, cluster, STR),
    F(struct cmd_node_ref, id, ID),
    F(struct cmd_node_ref, status, U8),
    F(struct cmd_node_ref, force, BOOL),
};
SCHEMA(cmd_node_ref_schema, "CmdNodeRef", struct cmd_node_ref, cmd_node_ref_fields);

static const struct field cmd_node_connection_fields[] = {
    F(struct cmd_node_connection, id, ID),
    F(struct cmd_node_connection, session, U64),
    F(struct cmd_node_connection, connection, U8),
};
SCHEMA(cmd_node_connection_schema, "CmdNodeConnection", struct cmd_node_connection,
       cmd_node_connection_fields);

static const struct field node_attribute_fields[] = {
    F(struct node_attribute, node, ID),
    STRUCT(struct node_attribute, attribute, attribute_schema),
};
SCHEMA(node_attribute_schema, "NodeAttribute", struct node_attribute, node_attribute_fields);

static const struct field cmd_attributes_fields[] = {
    F(struct cmd_attributes, cluster, STR),
    ARRAY(struct cmd_attributes, v, n, node_attribute_schema),
};
SCHEMA(cmd_attributes_schema, "CmdAttributes", struct cmd_attributes, cmd_attributes_fields);

static const struct field cmd_tags_fields[] = {
    F(struct cmd_tags, kind, U8),  F(struct cmd_tags, slot, U32),     F(struct cmd_tags, id, ID),
    F(struct cmd_tags, name, STR), F(struct cmd_tags, revision, U32), TAGS(struct cmd_tags, tags),
};
SCHEMA(cmd_tags_schema, "CmdTags", struct cmd_tags, cmd_tags_fields);

static const struct field cmd_join_fields[] = {
    F(struct cmd_join, cluster, STR),
    F(struct cmd_join, secret_sha256, STR),
    F(struct cmd_join, expires_at, I64),
    F(struct cmd_join, uses, U32),
};
SCHEMA(cmd_join_schema, "CmdJoin", struct cmd_join, cmd_join_fields);

/* A command without fields. */
static const struct schema cmd_gc_schema = {"CmdGc", 0, NULL, 0};

static const struct field cmd_feature_level_fields[] = {
    {"feature_level", FIELD_U32, 0, false, 0, 0, NULL, false},
};
SCHEMA(cmd_feature_level_schema, "CmdFeatureLevel", uint32_t, cmd_feature_level_fields);

static const struct field cmd_digest_fields[] = {
    F(struct cmd_digest, revision, U64),
    F(struct cmd_digest, digest, U64),
};
SCHEMA(cmd_digest_schema, "CmdDigest", struct cmd_digest, cmd_digest_fields);

static const struct schema cmd_identity_schema = {"CmdIdentity", 0, NULL, 0};

static const struct field cmd_epoch_fields[] = {
    F(struct cmd_epoch, epoch, U64),
    F(struct cmd_epoch, fence, BOOL),
};
SCHEMA(cmd_epoch_schema, "CmdEpoch", struct cmd_epoch, cmd_epoch_fields);

static const struct schema cmd_unfence_schema = {"CmdUnfence", 0, NULL, 0};

const struct schema *const schema_kinds[KIND_N] = {
    [KIND_CLUSTER] = &cluster_schema, [KIND_TASKDEF] = &taskdef_schema,
    [KIND_SERVICE] = &service_schema, [KIND_NODE] = &node_schema,
    [KIND_TASK] = &task_schema,       [KIND_TOKEN] = &token_schema,
    [KIND_FAMILY] = &family_schema,   [KIND_JOIN] = &join_schema,
    [KIND_META] = &meta_schema,       [KIND_CAPACITY_PROVIDER] = &provider_schema,
};

const struct schema *const schema_commands[CMD_N] = {
    [CMD_CLUSTER_CREATE] = &cmd_cluster_schema,
    [CMD_CLUSTER_UPDATE] = &cmd_cluster_schema,
    [CMD_CLUSTER_DELETE] = &cmd_name_schema,
    [CMD_TASKDEF_REGISTER] = &cmd_taskdef_register_schema,
    [CMD_TASKDEF_DEREGISTER] = &cmd_taskdef_ref_schema,
    [CMD_TASKDEF_DELETE] = &cmd_taskdef_ref_schema,
    [CMD_SERVICE_CREATE] = &cmd_service_create_schema,
    [CMD_SERVICE_UPDATE] = &cmd_service_update_schema,
    [CMD_SERVICE_DELETE] = &cmd_service_delete_schema,
    [CMD_PLAN] = &cmd_plan_schema,
    [CMD_TASK_STOP] = &cmd_task_stop_schema,
    [CMD_TASK_REPORTS] = &cmd_task_reports_schema,
    [CMD_NODE_REGISTER] = &cmd_node_register_schema,
    [CMD_NODE_STATE] = &cmd_node_ref_schema,
    [CMD_NODE_DEREGISTER] = &cmd_node_ref_schema,
    [CMD_NODE_CONNECTION] = &cmd_node_connection_schema,
    [CMD_ATTRIBUTES_PUT] = &cmd_attributes_schema,
    [CMD_ATTRIBUTES_DELETE] = &cmd_attributes_schema,
    [CMD_TAG] = &cmd_tags_schema,
    [CMD_UNTAG] = &cmd_tags_schema,
    [CMD_JOIN_CREATE] = &cmd_join_schema,
    [CMD_JOIN_USE] = &cmd_join_schema,
    [CMD_GC] = &cmd_gc_schema,
    [CMD_SET_FEATURE_LEVEL] = &cmd_feature_level_schema,
    [CMD_DIGEST] = &cmd_digest_schema,
    [CMD_IDENTITY] = &cmd_identity_schema,
    [CMD_EPOCH] = &cmd_epoch_schema,
    [CMD_UNFENCE] = &cmd_unfence_schema,
    [CMD_PROVIDER_CREATE] = &cmd_provider_schema,
    [CMD_PROVIDER_UPDATE] = &cmd_provider_schema,
    [CMD_PROVIDER_DELETE] = &cmd_name_schema,
};
