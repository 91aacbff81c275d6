build2/obj/admin/offline/describe.o: admin/offline/describe.c \
 admin/offline/describe.h controller/core/command.h \
 controller/core/model.h common/base/id.h common/base/str.h \
 controller/core/schema.h common/base/arena.h common/base/mem.h \
 common/base/hex.h build2/gen/proto/ecs/log/v1/log.pb-c.h \
 build2/gen/proto/ecs/log/v1/rows.pb-c.h
admin/offline/describe.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
controller/core/schema.h:
common/base/arena.h:
common/base/mem.h:
common/base/hex.h:
build2/gen/proto/ecs/log/v1/log.pb-c.h:
build2/gen/proto/ecs/log/v1/rows.pb-c.h:
