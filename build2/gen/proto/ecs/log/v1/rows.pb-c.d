build2/gen/proto/ecs/log/v1/rows.pb-c.o: \
 build2/gen/proto/ecs/log/v1/rows.pb-c.c \
 build2/gen/proto/ecs/log/v1/rows.pb-c.h
build2/gen/proto/ecs/log/v1/rows.pb-c.h:
