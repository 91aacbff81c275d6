build2/obj/controller/core/dispatch.o: controller/core/dispatch.c \
 controller/core/dispatch.h common/base/arena.h common/base/mem.h \
 controller/core/command.h controller/core/model.h common/base/id.h \
 common/base/str.h controller/core/store.h common/base/err.h \
 common/base/heap.h common/base/list.h controller/core/schema.h \
 controller/core/table.h
controller/core/dispatch.h:
common/base/arena.h:
common/base/mem.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
controller/core/store.h:
common/base/err.h:
common/base/heap.h:
common/base/list.h:
controller/core/schema.h:
controller/core/table.h:
