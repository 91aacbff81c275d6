build2/obj/controller/api/valid.o: controller/api/valid.c \
 controller/api/valid.h controller/api/call.h common/base/arena.h \
 common/base/mem.h common/base/buf.h controller/api/api_error.h \
 common/base/err.h common/net/grpc.h common/base/str.h common/net/http.h \
 common/loop/loop.h common/net/addr.h common/net/stream.h \
 common/net/tls.h common/net/pki.h controller/core/command.h \
 controller/core/model.h common/base/id.h controller/auth/principal.h \
 controller/engine/engine.h common/base/list.h controller/core/audit.h \
 controller/core/store.h controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h common/base/hash.h \
 controller/api/api.h controller/api/backend.h controller/codec/arn.h \
 controller/codec/pbc.h controller/core/limits.h \
 controller/core/placement/place.h controller/core/placement/view.h \
 controller/core/placement/query.h
controller/api/valid.h:
controller/api/call.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
controller/api/api_error.h:
common/base/err.h:
common/net/grpc.h:
common/base/str.h:
common/net/http.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/auth/principal.h:
controller/engine/engine.h:
common/base/list.h:
controller/core/audit.h:
controller/core/store.h:
controller/core/leader.h:
controller/ring/ring.h:
controller/codec/object.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
common/base/hash.h:
controller/api/api.h:
controller/api/backend.h:
controller/codec/arn.h:
controller/codec/pbc.h:
controller/core/limits.h:
controller/core/placement/place.h:
controller/core/placement/view.h:
controller/core/placement/query.h:
