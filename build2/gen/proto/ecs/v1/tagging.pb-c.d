build2/gen/proto/ecs/v1/tagging.pb-c.o: \
 build2/gen/proto/ecs/v1/tagging.pb-c.c \
 build2/gen/proto/ecs/v1/tagging.pb-c.h \
 build2/gen/proto/ecs/v1/types.pb-c.h \
 build2/gen/google/protobuf/timestamp.pb-c.h \
 build2/gen/proto/ecs/v1/enums.pb-c.h
build2/gen/proto/ecs/v1/tagging.pb-c.h:
build2/gen/proto/ecs/v1/types.pb-c.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
build2/gen/proto/ecs/v1/enums.pb-c.h:
