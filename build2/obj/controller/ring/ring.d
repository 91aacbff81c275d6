build2/obj/controller/ring/ring.o: controller/ring/ring.c \
 controller/ring/ring.h common/base/arena.h common/base/mem.h \
 common/base/err.h common/base/list.h controller/codec/object.h \
 common/base/buf.h common/base/str.h controller/core/command.h \
 controller/core/model.h common/base/id.h controller/core/leader.h \
 controller/core/store.h controller/ring/ring_impl.h
controller/ring/ring.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
common/base/list.h:
controller/codec/object.h:
common/base/buf.h:
common/base/str.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/core/leader.h:
controller/core/store.h:
controller/ring/ring_impl.h:
