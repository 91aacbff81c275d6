build2/obj/admin/cmd_task.o: admin/cmd_task.c admin/cli.h \
 common/base/err.h common/conf/conf.h common/base/mem.h common/base/str.h \
 common/base/hash.h common/loop/loop.h \
 build2/gen/proto/ecs/admin/v1/admin.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
common/base/hash.h:
common/loop/loop.h:
build2/gen/proto/ecs/admin/v1/admin.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
