/* controller/api/describe.h
 *
 * Rows of the store as the messages that Describe operations and answers of writes show. Everything
 * is made in the call's arena; the rows must exist. */
#ifndef CONTROLLER_API_DESCRIBE_H
#define CONTROLLER_API_DESCRIBE_H

#include "controller/api/call.h"
#include "controller/core/model.h"
#include "proto/ecs/v1/cluster.pb-c.h"
#include "proto/ecs/v1/container_instance.pb-c.h"
#include "proto/ecs/v1/service.pb-c.h"
#include "proto/ecs/v1/task.pb-c.h"

/* Set an optional scalar of a protobuf-c message. */
#define API_SET(message, field, v)     \
    do {                               \
        (message)->has_##field = true; \
        (message)->field = (v);        \
    } while (0)

/* NULL for 0, which means never. */
Google__Protobuf__Timestamp *describe_time(struct api_call *c, int64_t ms);

/* "1234" */
char *describe_number(struct api_call *c, uint64_t v);

Ecs__V1__Tag **describe_tags(struct api_call *c, const struct tags *tags, size_t *ret_n);

/* What of a cluster is shown besides names and counts. */
enum cluster_part {
    CLUSTER_TAGS = 1,
    CLUSTER_SETTINGS = 2,
    CLUSTER_CONFIGURATION = 4,
    CLUSTER_STATISTICS = 8,
    CLUSTER_ALL = 15,
};

/* NULL with c->error set when what is stored cannot be read: our mistake, but not a reason to
 * die. The same holds for the next two. */
Ecs__V1__Cluster *describe_cluster(struct api_call *c, uint32_t slot, unsigned parts);
Ecs__V1__Service *describe_service(struct api_call *c, uint32_t slot, bool tags);
Ecs__V1__Task *describe_task(struct api_call *c, uint32_t slot, bool tags);

Ecs__V1__ContainerInstance *describe_node(struct api_call *c, uint32_t slot, bool tags);

Ecs__V1__Attribute *describe_attribute(struct api_call *c, const struct attribute *a);

/* Words of the API. */
const char *describe_task_status(uint8_t status);
const char *describe_node_status(uint8_t status);
const char *describe_service_status(uint8_t status);

#endif
