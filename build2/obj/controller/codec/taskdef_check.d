build2/obj/controller/codec/taskdef_check.o: \
 controller/codec/taskdef_check.c controller/codec/taskdef_int.h \
 controller/codec/pbc.h common/base/arena.h common/base/mem.h \
 common/base/buf.h common/base/err.h common/base/str.h \
 controller/codec/taskdef.h controller/codec/arn.h common/base/id.h \
 controller/core/model.h build2/gen/proto/ecs/log/v1/spec.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/proto/ecs/v1/task_definition.pb-c.h controller/core/limits.h \
 controller/core/placement/query.h
controller/codec/taskdef_int.h:
controller/codec/pbc.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/err.h:
common/base/str.h:
controller/codec/taskdef.h:
controller/codec/arn.h:
common/base/id.h:
controller/core/model.h:
build2/gen/proto/ecs/log/v1/spec.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/proto/ecs/v1/task_definition.pb-c.h:
controller/core/limits.h:
controller/core/placement/query.h:
