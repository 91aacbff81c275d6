build2/gen/proto/ecs/v1/ecs.pb-c.o: build2/gen/proto/ecs/v1/ecs.pb-c.c \
 build2/gen/proto/ecs/v1/ecs.pb-c.h \
 build2/gen/proto/ecs/v1/account_setting.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/attribute.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/capacity_provider.pb-c.h \
 build2/gen/proto/ecs/v1/cluster.pb-c.h \
 build2/gen/proto/ecs/v1/container_instance.pb-c.h \
 build2/gen/proto/ecs/v1/daemon.pb-c.h \
 build2/gen/proto/ecs/v1/gateway.pb-c.h \
 build2/gen/proto/ecs/v1/service.pb-c.h \
 build2/gen/proto/ecs/v1/service_deployment.pb-c.h \
 build2/gen/proto/ecs/v1/tagging.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/proto/ecs/v1/task_definition.pb-c.h \
 build2/gen/proto/ecs/v1/task_set.pb-c.h
build2/gen/proto/ecs/v1/ecs.pb-c.h:
build2/gen/proto/ecs/v1/account_setting.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/attribute.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/capacity_provider.pb-c.h:
build2/gen/proto/ecs/v1/cluster.pb-c.h:
build2/gen/proto/ecs/v1/container_instance.pb-c.h:
build2/gen/proto/ecs/v1/daemon.pb-c.h:
build2/gen/proto/ecs/v1/gateway.pb-c.h:
build2/gen/proto/ecs/v1/service.pb-c.h:
build2/gen/proto/ecs/v1/service_deployment.pb-c.h:
build2/gen/proto/ecs/v1/tagging.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/proto/ecs/v1/task_definition.pb-c.h:
build2/gen/proto/ecs/v1/task_set.pb-c.h:
