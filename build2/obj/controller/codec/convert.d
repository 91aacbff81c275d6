build2/obj/controller/codec/convert.o: controller/codec/convert.c \
 controller/codec/convert.h controller/codec/pbc.h common/base/arena.h \
 common/base/mem.h common/base/buf.h common/base/err.h common/base/str.h \
 controller/codec/names.h
controller/codec/convert.h:
controller/codec/pbc.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/err.h:
common/base/str.h:
controller/codec/names.h:
