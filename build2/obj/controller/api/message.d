build2/obj/controller/api/message.o: controller/api/message.c \
 controller/api/message.h common/base/arena.h common/base/mem.h \
 common/base/err.h controller/codec/pbc.h common/base/buf.h \
 common/base/str.h
controller/api/message.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
controller/codec/pbc.h:
common/base/buf.h:
common/base/str.h:
