build2/obj/controller/engine/engine.o: controller/engine/engine.c \
 controller/engine/engine.h common/base/arena.h common/base/mem.h \
 common/base/err.h common/base/list.h controller/core/audit.h \
 controller/core/store.h controller/core/command.h \
 controller/core/model.h common/base/id.h common/base/str.h \
 controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h common/base/buf.h common/log/log.h \
 controller/engine/engine_int.h common/loop/loop.h \
 controller/engine/open.h controller/raftio/raftnode.h \
 controller/storage/checkpoint.h controller/storage/history.h \
 controller/raft/conf.h controller/raft/replica.h
controller/engine/engine.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
common/base/list.h:
controller/core/audit.h:
controller/core/store.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
controller/core/leader.h:
controller/ring/ring.h:
controller/codec/object.h:
common/base/buf.h:
common/log/log.h:
controller/engine/engine_int.h:
common/loop/loop.h:
controller/engine/open.h:
controller/raftio/raftnode.h:
controller/storage/checkpoint.h:
controller/storage/history.h:
controller/raft/conf.h:
controller/raft/replica.h:
