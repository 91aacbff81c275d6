build2/obj/controller/ring/ring_apply.o: controller/ring/ring_apply.c \
 controller/ring/ring_impl.h common/base/buf.h common/base/mem.h \
 controller/ring/ring.h common/base/arena.h common/base/err.h \
 common/base/list.h controller/codec/object.h common/base/str.h \
 controller/core/command.h controller/core/model.h common/base/id.h \
 controller/core/leader.h controller/core/store.h
controller/ring/ring_impl.h:
common/base/buf.h:
common/base/mem.h:
controller/ring/ring.h:
common/base/arena.h:
common/base/err.h:
common/base/list.h:
controller/codec/object.h:
common/base/str.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/core/leader.h:
controller/core/store.h:
