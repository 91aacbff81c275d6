build2/gen/proto/ecs/log/v1/spec.pb-c.o: \
 build2/gen/proto/ecs/log/v1/spec.pb-c.c \
 build2/gen/proto/ecs/log/v1/spec.pb-c.h
build2/gen/proto/ecs/log/v1/spec.pb-c.h:
