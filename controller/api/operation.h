/* controller/api/operation.h
 *
 * Which operations there are and who carries them out: names and message types come from the
 * service descriptors, the handlers are listed once in operation.c. Both doors use it. Pure. */
#ifndef CONTROLLER_API_OPERATION_H
#define CONTROLLER_API_OPERATION_H

#include "controller/api/call.h"

#define API_ECS_SERVICE   "ecs.v1.EcsService"
#define API_ADMIN_SERVICE "ecs.admin.v1.AdminService"

/* The handler of an operation of that service, NULL when it is not implemented. */
const struct api_handler *api_handler_of(const char *service, const char *name);

/* --- handlers, by file --------------------------------------------------------------------------
 */

/* op_cluster.c */
extern const struct api_handler op_create_cluster;
extern const struct api_handler op_update_cluster;
extern const struct api_handler op_update_cluster_settings;
extern const struct api_handler op_put_cluster_capacity_providers;
extern const struct api_handler op_delete_cluster;
extern const struct api_handler op_describe_clusters;
extern const struct api_handler op_list_clusters;

/* op_taskdef.c */
extern const struct api_handler op_register_task_definition;
extern const struct api_handler op_deregister_task_definition;
extern const struct api_handler op_delete_task_definitions;
extern const struct api_handler op_describe_task_definition;

/* op_taskdef_list.c */
extern const struct api_handler op_list_task_definitions;
extern const struct api_handler op_list_task_definition_families;

/* op_run.c */
extern const struct api_handler op_run_task;
extern const struct api_handler op_start_task;

/* op_task.c */
extern const struct api_handler op_stop_task;
extern const struct api_handler op_describe_tasks;
extern const struct api_handler op_list_tasks;

/* op_service.c */
extern const struct api_handler op_delete_service;
extern const struct api_handler op_describe_services;
extern const struct api_handler op_list_services;

/* op_service_write.c */
extern const struct api_handler op_create_service;
extern const struct api_handler op_update_service;

/* op_node.c */
extern const struct api_handler op_list_container_instances;
extern const struct api_handler op_describe_container_instances;
extern const struct api_handler op_update_container_instances_state;
extern const struct api_handler op_deregister_container_instance;

/* op_attribute.c */
extern const struct api_handler op_put_attributes;
extern const struct api_handler op_delete_attributes;
extern const struct api_handler op_list_attributes;

/* op_tag.c */
extern const struct api_handler op_tag_resource;
extern const struct api_handler op_untag_resource;
extern const struct api_handler op_list_tags_for_resource;

/* op_admin.c */
extern const struct api_handler op_get_status;
extern const struct api_handler op_verify;
extern const struct api_handler op_list_history;
extern const struct api_handler op_transfer_leadership;
extern const struct api_handler op_create_join_token;
extern const struct api_handler op_finalize_upgrade;
extern const struct api_handler op_create_capacity_provider;
extern const struct api_handler op_delete_capacity_provider;
extern const struct api_handler op_describe_capacity_providers;
extern const struct api_handler op_update_capacity_provider;
extern const struct api_handler op_unfence_tokens;

/* op_plan.c */
extern const struct api_handler op_plan;
extern const struct api_handler op_explain_task;

/* op_member.c */
extern const struct api_handler op_list_members;
extern const struct api_handler op_describe_members;
extern const struct api_handler op_add_member;
extern const struct api_handler op_promote_member;
extern const struct api_handler op_demote_member;
extern const struct api_handler op_remove_member;

/* stream.c */
extern const struct api_handler op_get_task_logs;

#endif
