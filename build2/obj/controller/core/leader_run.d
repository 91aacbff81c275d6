build2/obj/controller/core/leader_run.o: controller/core/leader_run.c \
 common/base/buf.h common/base/mem.h controller/core/leader_impl.h \
 common/base/heap.h common/base/list.h controller/core/leader.h \
 common/base/arena.h controller/core/command.h controller/core/model.h \
 common/base/id.h common/base/str.h controller/core/store.h \
 common/base/err.h controller/core/limits.h \
 controller/core/placement/place.h controller/core/placement/view.h \
 controller/core/placement/query.h controller/core/table.h
common/base/buf.h:
common/base/mem.h:
controller/core/leader_impl.h:
common/base/heap.h:
common/base/list.h:
controller/core/leader.h:
common/base/arena.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
controller/core/store.h:
common/base/err.h:
controller/core/limits.h:
controller/core/placement/place.h:
controller/core/placement/view.h:
controller/core/placement/query.h:
controller/core/table.h:
