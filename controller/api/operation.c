#include "controller/api/operation.h"

#include <string.h>

struct binding_row {
    const char *name;
    const struct api_handler *handler;
};

/* clang-format off */
static const struct binding_row ecs_rows[] = {
    {"CreateCapacityProvider", &op_create_capacity_provider},
    {"CreateCluster", &op_create_cluster},
    {"CreateService", &op_create_service},
    {"DeleteAttributes", &op_delete_attributes},
    {"DeleteCapacityProvider", &op_delete_capacity_provider},
    {"DeleteCluster", &op_delete_cluster},
    {"DeleteService", &op_delete_service},
    {"DeleteTaskDefinitions", &op_delete_task_definitions},
    {"DeregisterContainerInstance", &op_deregister_container_instance},
    {"DeregisterTaskDefinition", &op_deregister_task_definition},
    {"DescribeCapacityProviders", &op_describe_capacity_providers},
    {"DescribeClusters", &op_describe_clusters},
    {"DescribeContainerInstances", &op_describe_container_instances},
    {"DescribeServices", &op_describe_services},
    {"DescribeTaskDefinition", &op_describe_task_definition},
    {"DescribeTasks", &op_describe_tasks},
    {"ListAttributes", &op_list_attributes},
    {"ListClusters", &op_list_clusters},
    {"ListContainerInstances", &op_list_container_instances},
    {"ListServices", &op_list_services},
    {"ListTagsForResource", &op_list_tags_for_resource},
    {"ListTaskDefinitionFamilies", &op_list_task_definition_families},
    {"ListTaskDefinitions", &op_list_task_definitions},
    {"ListTasks", &op_list_tasks},
    {"PutAttributes", &op_put_attributes},
    {"PutClusterCapacityProviders", &op_put_cluster_capacity_providers},
    {"RegisterTaskDefinition", &op_register_task_definition},
    {"RunTask", &op_run_task},
    {"StartTask", &op_start_task},
    {"StopTask", &op_stop_task},
    {"TagResource", &op_tag_resource},
    {"UntagResource", &op_untag_resource},
    {"UpdateCapacityProvider", &op_update_capacity_provider},
    {"UpdateCluster", &op_update_cluster},
    {"UpdateClusterSettings", &op_update_cluster_settings},
    {"UpdateContainerInstancesState", &op_update_container_instances_state},
    {"UpdateService", &op_update_service},
};

/* GetTaskLogs and Backup are streams, see stream.c; the row of GetTaskLogs finds the task. */
static const struct binding_row admin_rows[] = {
    {"CreateJoinToken", &op_create_join_token},
    {"FinalizeUpgrade", &op_finalize_upgrade},
    {"UnfenceTokens", &op_unfence_tokens},
    {"GetStatus", &op_get_status},
    {"GetTaskLogs", &op_get_task_logs},
    {"ListHistory", &op_list_history},
    {"ListMembers", &op_list_members},
    {"DescribeMembers", &op_describe_members},
    {"AddMember", &op_add_member},
    {"PromoteMember", &op_promote_member},
    {"DemoteMember", &op_demote_member},
    {"RemoveMember", &op_remove_member},
    {"Plan", &op_plan},
    {"ExplainTask", &op_explain_task},
    {"TransferLeadership", &op_transfer_leadership},
    {"Verify", &op_verify},
};
/* clang-format on */

static const struct api_handler *find(const struct binding_row *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].handler;
        }
    }
    return NULL;
}

const struct api_handler *api_handler_of(const char *service, const char *name)
{
    if (strcmp(service, API_ECS_SERVICE) == 0) {
        return find(ecs_rows, sizeof ecs_rows / sizeof ecs_rows[0], name);
    }
    if (strcmp(service, API_ADMIN_SERVICE) == 0) {
        return find(admin_rows, sizeof admin_rows / sizeof admin_rows[0], name);
    }
    return NULL;
}
