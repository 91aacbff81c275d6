build2/obj/controller/api/forward.o: controller/api/forward.c \
 common/loop/loop.h common/base/err.h controller/api/state.h \
 common/net/grpc_client.h common/base/str.h common/net/grpc.h \
 common/net/http.h common/base/buf.h common/base/mem.h common/net/addr.h \
 common/net/stream.h common/net/tls.h common/net/pki.h \
 common/net/http_client.h controller/api/api.h controller/api/backend.h \
 common/base/id.h controller/api/call.h common/base/arena.h \
 controller/api/api_error.h controller/core/command.h \
 controller/core/model.h controller/auth/principal.h \
 controller/engine/engine.h common/base/list.h controller/core/audit.h \
 controller/core/store.h controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h controller/codec/arn.h controller/codec/pbc.h \
 build2/gen/proto/ecs/internal/v1/forward.pb-c.h
common/loop/loop.h:
common/base/err.h:
controller/api/state.h:
common/net/grpc_client.h:
common/base/str.h:
common/net/grpc.h:
common/net/http.h:
common/base/buf.h:
common/base/mem.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/net/http_client.h:
controller/api/api.h:
controller/api/backend.h:
common/base/id.h:
controller/api/call.h:
common/base/arena.h:
controller/api/api_error.h:
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
controller/codec/pbc.h:
build2/gen/proto/ecs/internal/v1/forward.pb-c.h:
