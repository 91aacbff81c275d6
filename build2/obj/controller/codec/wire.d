build2/obj/controller/codec/wire.o: controller/codec/wire.c \
 controller/codec/wire.h common/base/buf.h common/base/mem.h \
 common/base/str.h controller/codec/bind.h common/base/arena.h \
 common/base/err.h controller/core/schema.h controller/core/command.h \
 controller/core/model.h common/base/id.h controller/codec/object.h
controller/codec/wire.h:
common/base/buf.h:
common/base/mem.h:
common/base/str.h:
controller/codec/bind.h:
common/base/arena.h:
common/base/err.h:
controller/core/schema.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/codec/object.h:
