build2/obj/controller/core/schema.o: controller/core/schema.c \
 controller/core/schema.h common/base/arena.h common/base/mem.h \
 controller/core/command.h controller/core/model.h common/base/id.h \
 common/base/str.h common/base/hash.h controller/core/schema_tables.h
controller/core/schema.h:
common/base/arena.h:
common/base/mem.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
common/base/hash.h:
controller/core/schema_tables.h:
