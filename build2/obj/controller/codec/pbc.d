build2/obj/controller/codec/pbc.o: controller/codec/pbc.c \
 controller/codec/pbc.h common/base/arena.h common/base/mem.h \
 common/base/buf.h common/base/err.h common/base/str.h
controller/codec/pbc.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/err.h:
common/base/str.h:
