build2/obj/controller/api/health.o: controller/api/health.c \
 controller/api/health.h common/net/grpc.h common/base/err.h \
 common/base/str.h common/net/http.h common/base/buf.h common/base/mem.h \
 common/loop/loop.h common/net/addr.h common/net/stream.h \
 common/net/tls.h common/net/pki.h controller/api/api.h \
 controller/api/backend.h common/base/id.h controller/api/call.h \
 common/base/arena.h controller/api/api_error.h controller/core/command.h \
 controller/core/model.h controller/auth/principal.h \
 controller/engine/engine.h common/base/list.h controller/core/audit.h \
 controller/core/store.h controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h controller/codec/arn.h \
 controller/api/grpc_front.h controller/api/operation.h \
 controller/codec/pbc.h build2/gen/proto/grpc/health/v1/health.pb-c.h
controller/api/health.h:
common/net/grpc.h:
common/base/err.h:
common/base/str.h:
common/net/http.h:
common/base/buf.h:
common/base/mem.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
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
controller/api/grpc_front.h:
controller/api/operation.h:
controller/codec/pbc.h:
build2/gen/proto/grpc/health/v1/health.pb-c.h:
