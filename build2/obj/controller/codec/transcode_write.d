build2/obj/controller/codec/transcode_write.o: \
 controller/codec/transcode_write.c controller/codec/names.h \
 common/base/str.h controller/codec/transcode.h controller/codec/pbc.h \
 common/base/arena.h common/base/mem.h common/base/buf.h \
 common/base/err.h build2/gen/google/protobuf/timestamp.pb-c.h
controller/codec/names.h:
common/base/str.h:
controller/codec/transcode.h:
controller/codec/pbc.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/err.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
