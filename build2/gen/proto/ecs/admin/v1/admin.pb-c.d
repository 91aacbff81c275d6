build2/gen/proto/ecs/admin/v1/admin.pb-c.o: \
 build2/gen/proto/ecs/admin/v1/admin.pb-c.c \
 build2/gen/proto/ecs/admin/v1/admin.pb-c.h \
 build2/gen/proto/ecs/v1/task.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h
build2/gen/proto/ecs/admin/v1/admin.pb-c.h:
build2/gen/proto/ecs/v1/task.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
