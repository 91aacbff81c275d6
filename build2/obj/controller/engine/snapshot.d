build2/obj/controller/engine/snapshot.o: controller/engine/snapshot.c \
 common/log/log.h common/base/err.h common/base/id.h common/base/str.h \
 controller/engine/engine_int.h common/loop/loop.h \
 controller/codec/object.h common/base/arena.h common/base/mem.h \
 common/base/buf.h controller/core/command.h controller/core/model.h \
 controller/engine/engine.h common/base/list.h controller/core/audit.h \
 controller/core/store.h controller/core/leader.h controller/ring/ring.h \
 controller/engine/open.h controller/raftio/raftnode.h \
 controller/storage/checkpoint.h controller/storage/history.h
common/log/log.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
controller/engine/engine_int.h:
common/loop/loop.h:
controller/codec/object.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
controller/core/command.h:
controller/core/model.h:
controller/engine/engine.h:
common/base/list.h:
controller/core/audit.h:
controller/core/store.h:
controller/core/leader.h:
controller/ring/ring.h:
controller/engine/open.h:
controller/raftio/raftnode.h:
controller/storage/checkpoint.h:
controller/storage/history.h:
