build2/gen/google/protobuf/descriptor.pb-c.o: \
 build2/gen/google/protobuf/descriptor.pb-c.c \
 build2/gen/google/protobuf/descriptor.pb-c.h
build2/gen/google/protobuf/descriptor.pb-c.h:
