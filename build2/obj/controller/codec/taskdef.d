build2/obj/controller/codec/taskdef.o: controller/codec/taskdef.c \
 controller/codec/taskdef.h common/base/arena.h common/base/mem.h \
 common/base/err.h controller/codec/arn.h common/base/id.h \
 common/base/str.h controller/core/model.h \
 build2/gen/proto/ecs/log/v1/spec.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/proto/ecs/v1/task_definition.pb-c.h \
 controller/codec/convert.h controller/codec/pbc.h common/base/buf.h \
 controller/codec/taskdef_int.h controller/core/limits.h
controller/codec/taskdef.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
controller/codec/arn.h:
common/base/id.h:
common/base/str.h:
controller/core/model.h:
build2/gen/proto/ecs/log/v1/spec.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/proto/ecs/v1/task_definition.pb-c.h:
controller/codec/convert.h:
controller/codec/pbc.h:
common/base/buf.h:
controller/codec/taskdef_int.h:
controller/core/limits.h:
