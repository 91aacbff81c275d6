build2/obj/controller/core/store_apply_taskdef.o: \
 controller/core/store_apply_taskdef.c controller/core/store_impl.h \
 common/base/arena.h common/base/mem.h common/base/map.h \
 controller/core/limits.h controller/core/placement/portset.h \
 controller/core/schema.h controller/core/command.h \
 controller/core/model.h common/base/id.h common/base/str.h \
 controller/core/store.h common/base/err.h controller/core/table.h
controller/core/store_impl.h:
common/base/arena.h:
common/base/mem.h:
common/base/map.h:
controller/core/limits.h:
controller/core/placement/portset.h:
controller/core/schema.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
controller/core/store.h:
common/base/err.h:
controller/core/table.h:
