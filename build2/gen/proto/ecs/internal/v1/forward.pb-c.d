build2/gen/proto/ecs/internal/v1/forward.pb-c.o: \
 build2/gen/proto/ecs/internal/v1/forward.pb-c.c \
 build2/gen/proto/ecs/internal/v1/forward.pb-c.h
build2/gen/proto/ecs/internal/v1/forward.pb-c.h:
