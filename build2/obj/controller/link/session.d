build2/obj/controller/link/session.o: controller/link/session.c \
 common/log/log.h common/base/err.h common/base/id.h common/base/str.h \
 controller/codec/pbc.h common/base/arena.h common/base/mem.h \
 common/base/buf.h controller/core/leader.h controller/core/command.h \
 controller/core/model.h controller/core/store.h \
 controller/link/link_int.h common/base/list.h common/loop/loop.h \
 controller/core/dispatch.h controller/link/link.h common/net/grpc.h \
 common/net/http.h common/net/addr.h common/net/stream.h common/net/tls.h \
 common/net/pki.h controller/engine/engine.h controller/core/audit.h \
 controller/ring/ring.h controller/codec/object.h \
 build2/gen/proto/ecs/agent/v1/agent.pb-c.h
common/log/log.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
controller/codec/pbc.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
controller/core/leader.h:
controller/core/command.h:
controller/core/model.h:
controller/core/store.h:
controller/link/link_int.h:
common/base/list.h:
common/loop/loop.h:
controller/core/dispatch.h:
controller/link/link.h:
common/net/grpc.h:
common/net/http.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
controller/engine/engine.h:
controller/core/audit.h:
controller/ring/ring.h:
controller/codec/object.h:
build2/gen/proto/ecs/agent/v1/agent.pb-c.h:
