build2/obj/controller/api/metrics.o: controller/api/metrics.c \
 controller/api/metrics.h common/base/buf.h common/base/mem.h \
 controller/api/api.h common/net/tls.h common/base/err.h \
 common/base/str.h common/net/pki.h controller/api/backend.h \
 common/base/id.h controller/api/call.h common/base/arena.h \
 controller/api/api_error.h common/net/grpc.h common/net/http.h \
 common/loop/loop.h common/net/addr.h common/net/stream.h \
 controller/core/command.h controller/core/model.h \
 controller/auth/principal.h controller/engine/engine.h \
 common/base/list.h controller/core/audit.h controller/core/store.h \
 controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h controller/codec/arn.h
controller/api/metrics.h:
common/base/buf.h:
common/base/mem.h:
controller/api/api.h:
common/net/tls.h:
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
