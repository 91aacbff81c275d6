build2/obj/controller/api/api.o: controller/api/api.c \
 controller/api/api.h common/base/mem.h common/net/tls.h \
 common/base/buf.h common/base/err.h common/base/str.h common/net/pki.h \
 controller/api/backend.h common/base/id.h controller/api/call.h \
 common/base/arena.h controller/api/api_error.h common/net/grpc.h \
 common/net/http.h common/loop/loop.h common/net/addr.h \
 common/net/stream.h controller/core/command.h controller/core/model.h \
 controller/auth/principal.h controller/engine/engine.h \
 common/base/list.h controller/core/audit.h controller/core/store.h \
 controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h controller/codec/arn.h \
 controller/api/operation.h controller/api/state.h \
 common/net/grpc_client.h common/net/http_client.h \
 build2/gen/proto/ecs/admin/v1/admin.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h build2/gen/proto/ecs/v1/ecs.pb-c.h \
 build2/gen/proto/ecs/v1/account_setting.pb-c.h \
 build2/gen/proto/ecs/v1/attribute.pb-c.h \
 build2/gen/proto/ecs/v1/capacity_provider.pb-c.h \
 build2/gen/proto/ecs/v1/cluster.pb-c.h \
 build2/gen/proto/ecs/v1/container_instance.pb-c.h \
 build2/gen/proto/ecs/v1/daemon.pb-c.h \
 build2/gen/proto/ecs/v1/gateway.pb-c.h \
 build2/gen/proto/ecs/v1/service.pb-c.h \
 build2/gen/proto/ecs/v1/service_deployment.pb-c.h \
 build2/gen/proto/ecs/v1/tagging.pb-c.h \
 build2/gen/proto/ecs/v1/task_definition.pb-c.h \
 build2/gen/proto/ecs/v1/task_set.pb-c.h
controller/api/api.h:
common/base/mem.h:
common/net/tls.h:
common/base/buf.h:
common/base/err.h:
common/base/str.h:
common/net/pki.h:
controller/api/backend.h:
common/base/id.h:
controller/api/call.h:
common/base/arena.h:
controller/api/api_error.h:
common/net/grpc.h:
common/net/http.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
controller/core/command.h:
controller/core/model.h:
controller/auth/principal.h:
controller/engine/engine.h:
common/base/list.h:
controller/core/audit.h:
controller/core/store.h:
controller/core/leader.h:
controller/ring/ring.h:
controller/codec/object.h:
controller/codec/arn.h:
controller/api/operation.h:
controller/api/state.h:
common/net/grpc_client.h:
common/net/http_client.h:
build2/gen/proto/ecs/admin/v1/admin.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/proto/ecs/v1/ecs.pb-c.h:
build2/gen/proto/ecs/v1/account_setting.pb-c.h:
build2/gen/proto/ecs/v1/attribute.pb-c.h:
build2/gen/proto/ecs/v1/capacity_provider.pb-c.h:
build2/gen/proto/ecs/v1/cluster.pb-c.h:
build2/gen/proto/ecs/v1/container_instance.pb-c.h:
build2/gen/proto/ecs/v1/daemon.pb-c.h:
build2/gen/proto/ecs/v1/gateway.pb-c.h:
build2/gen/proto/ecs/v1/service.pb-c.h:
build2/gen/proto/ecs/v1/service_deployment.pb-c.h:
build2/gen/proto/ecs/v1/tagging.pb-c.h:
build2/gen/proto/ecs/v1/task_definition.pb-c.h:
build2/gen/proto/ecs/v1/task_set.pb-c.h:
