build2/gen/google/protobuf/timestamp.pb-c.o: \
 build2/gen/google/protobuf/timestamp.pb-c.c \
 build2/gen/google/protobuf/timestamp.pb-c.h
build2/gen/google/protobuf/timestamp.pb-c.h:
