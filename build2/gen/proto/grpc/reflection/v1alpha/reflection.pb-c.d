build2/gen/proto/grpc/reflection/v1alpha/reflection.pb-c.o: \
 build2/gen/proto/grpc/reflection/v1alpha/reflection.pb-c.c \
 build2/gen/proto/grpc/reflection/v1alpha/reflection.pb-c.h
build2/gen/proto/grpc/reflection/v1alpha/reflection.pb-c.h:
