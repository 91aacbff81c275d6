build2/obj/controller/api/descriptor_set.o: \
 controller/api/descriptor_set.c controller/api/descriptor_set.h \
 common/base/arena.h common/base/mem.h common/base/err.h \
 common/base/str.h controller/codec/pbc.h common/base/buf.h \
 build2/gen/google/protobuf/descriptor.pb-c.h
controller/api/descriptor_set.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
controller/codec/pbc.h:
common/base/buf.h:
build2/gen/google/protobuf/descriptor.pb-c.h:
