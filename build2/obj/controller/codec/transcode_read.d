build2/obj/controller/codec/transcode_read.o: \
 controller/codec/transcode_read.c controller/codec/json_text.h \
 common/base/arena.h common/base/mem.h common/base/str.h \
 controller/codec/names.h controller/codec/transcode.h \
 controller/codec/pbc.h common/base/buf.h common/base/err.h \
 build2/gen/google/protobuf/timestamp.pb-c.h
controller/codec/json_text.h:
common/base/arena.h:
common/base/mem.h:
common/base/str.h:
controller/codec/names.h:
controller/codec/transcode.h:
controller/codec/pbc.h:
common/base/buf.h:
common/base/err.h:
build2/gen/google/protobuf/timestamp.pb-c.h:
