build2/gen/proto/ecs/agent/v1/agent.pb-c.o: \
 build2/gen/proto/ecs/agent/v1/agent.pb-c.c \
 build2/gen/proto/ecs/agent/v1/agent.pb-c.h
build2/gen/proto/ecs/agent/v1/agent.pb-c.h:
