build2/obj/controller/program/backend.o: controller/program/backend.c \
 controller/program/backend.h common/base/list.h controller/api/backend.h \
 common/base/err.h common/base/id.h common/base/str.h \
 controller/engine/open.h controller/engine/engine.h common/base/arena.h \
 common/base/mem.h controller/core/audit.h controller/core/store.h \
 controller/core/command.h controller/core/model.h \
 controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h common/base/buf.h controller/link/link.h \
 common/net/grpc.h common/net/http.h common/loop/loop.h common/net/addr.h \
 common/net/stream.h common/net/tls.h common/net/pki.h \
 common/loop/sysmem.h controller/auth/hasher.h \
 controller/raftio/raftnode.h controller/storage/checkpoint.h \
 controller/storage/history.h
controller/program/backend.h:
common/base/list.h:
controller/api/backend.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
controller/engine/open.h:
controller/engine/engine.h:
common/base/arena.h:
common/base/mem.h:
controller/core/audit.h:
controller/core/store.h:
controller/core/command.h:
controller/core/model.h:
controller/core/leader.h:
controller/ring/ring.h:
controller/codec/object.h:
common/base/buf.h:
controller/link/link.h:
common/net/grpc.h:
common/net/http.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/loop/sysmem.h:
controller/auth/hasher.h:
controller/raftio/raftnode.h:
controller/storage/checkpoint.h:
controller/storage/history.h:
