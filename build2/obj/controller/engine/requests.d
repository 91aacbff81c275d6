build2/obj/controller/engine/requests.o: controller/engine/requests.c \
 controller/engine/engine_int.h common/loop/loop.h common/base/err.h \
 controller/codec/object.h common/base/arena.h common/base/mem.h \
 common/base/buf.h common/base/str.h controller/core/command.h \
 controller/core/model.h common/base/id.h controller/engine/engine.h \
 common/base/list.h controller/core/audit.h controller/core/store.h \
 controller/core/leader.h controller/ring/ring.h controller/engine/open.h \
 controller/raftio/raftnode.h controller/storage/checkpoint.h \
 controller/storage/history.h
controller/engine/engine_int.h:
common/loop/loop.h:
common/base/err.h:
controller/codec/object.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/str.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
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
