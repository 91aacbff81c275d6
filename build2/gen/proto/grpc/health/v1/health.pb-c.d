build2/gen/proto/grpc/health/v1/health.pb-c.o: \
 build2/gen/proto/grpc/health/v1/health.pb-c.c \
 build2/gen/proto/grpc/health/v1/health.pb-c.h
build2/gen/proto/grpc/health/v1/health.pb-c.h:
