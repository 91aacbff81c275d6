build2/obj/tests/load/ops.o: tests/load/ops.c tests/load/load.h \
 common/base/arena.h common/base/mem.h common/base/prng.h \
 common/conf/conf.h common/base/err.h common/base/str.h \
 common/loop/loop.h common/net/grpc_client.h common/net/grpc.h \
 common/net/http.h common/base/buf.h common/net/addr.h \
 common/net/stream.h common/net/tls.h common/net/pki.h \
 common/net/http_client.h tests/lib/history.h common/base/map.h \
 common/base/hash.h common/loop/sysmem.h controller/codec/pbc.h \
 controller/codec/transcode.h build2/gen/proto/ecs/v1/ecs.pb-c.h \
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
tests/load/load.h:
common/base/arena.h:
common/base/mem.h:
common/base/prng.h:
common/conf/conf.h:
common/base/err.h:
common/base/str.h:
common/loop/loop.h:
common/net/grpc_client.h:
common/net/grpc.h:
common/net/http.h:
common/base/buf.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/net/http_client.h:
tests/lib/history.h:
common/base/map.h:
common/base/hash.h:
common/loop/sysmem.h:
controller/codec/pbc.h:
controller/codec/transcode.h:
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
