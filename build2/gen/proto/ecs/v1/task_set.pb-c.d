build2/gen/proto/ecs/v1/task_set.pb-c.o: \
 build2/gen/proto/ecs/v1/task_set.pb-c.c \
 build2/gen/proto/ecs/v1/task_set.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h
build2/gen/proto/ecs/v1/task_set.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
