build2/obj/admin/offline/cmd_backup.o: admin/offline/cmd_backup.c \
 admin/cli.h common/base/err.h common/conf/conf.h common/base/mem.h \
 common/base/str.h admin/offline/backup.h common/base/id.h \
 admin/offline/describe.h controller/core/command.h \
 controller/core/model.h controller/core/schema.h common/base/arena.h \
 admin/offline/secret.h common/base/buf.h common/loop/sysmem.h \
 controller/storage/image.h controller/codec/object.h \
 controller/core/store.h controller/storage/checkpoint.h \
 controller/storage/history.h build2/gen/proto/ecs/admin/v1/admin.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
admin/offline/backup.h:
common/base/id.h:
admin/offline/describe.h:
controller/core/command.h:
controller/core/model.h:
controller/core/schema.h:
common/base/arena.h:
admin/offline/secret.h:
common/base/buf.h:
common/loop/sysmem.h:
controller/storage/image.h:
controller/codec/object.h:
controller/core/store.h:
controller/storage/checkpoint.h:
controller/storage/history.h:
build2/gen/proto/ecs/admin/v1/admin.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
