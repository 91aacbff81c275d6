build2/obj/controller/codec/assignment.o: controller/codec/assignment.c \
 controller/codec/assignment.h common/base/arena.h common/base/mem.h \
 common/base/err.h controller/codec/arn.h common/base/id.h \
 common/base/str.h controller/core/model.h \
 build2/gen/proto/ecs/agent/v1/agent.pb-c.h controller/codec/pbc.h \
 common/base/buf.h controller/codec/taskdef.h \
 build2/gen/proto/ecs/log/v1/spec.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/proto/ecs/v1/task_definition.pb-c.h
controller/codec/assignment.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
controller/codec/arn.h:
common/base/id.h:
common/base/str.h:
controller/core/model.h:
build2/gen/proto/ecs/agent/v1/agent.pb-c.h:
controller/codec/pbc.h:
common/base/buf.h:
controller/codec/taskdef.h:
build2/gen/proto/ecs/log/v1/spec.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/proto/ecs/v1/task_definition.pb-c.h:
