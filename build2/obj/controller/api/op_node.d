build2/obj/controller/api/op_node.o: controller/api/op_node.c \
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
 controller/api/describe.h build2/gen/proto/ecs/v1/cluster.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/container_instance.pb-c.h \
 build2/gen/proto/ecs/v1/service.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h controller/api/operation.h \
 controller/api/page.h controller/api/ref.h controller/api/valid.h \
 controller/core/placement/query.h
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
controller/api/describe.h:
build2/gen/proto/ecs/v1/cluster.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/container_instance.pb-c.h:
build2/gen/proto/ecs/v1/service.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
controller/api/operation.h:
controller/api/page.h:
controller/api/ref.h:
controller/api/valid.h:
controller/core/placement/query.h:
