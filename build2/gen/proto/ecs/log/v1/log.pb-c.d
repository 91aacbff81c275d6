build2/gen/proto/ecs/log/v1/log.pb-c.o: \
 build2/gen/proto/ecs/log/v1/log.pb-c.c \
 build2/gen/proto/ecs/log/v1/log.pb-c.h \
 build2/gen/proto/ecs/log/v1/rows.pb-c.h
build2/gen/proto/ecs/log/v1/log.pb-c.h:
build2/gen/proto/ecs/log/v1/rows.pb-c.h:
