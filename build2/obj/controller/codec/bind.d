build2/obj/controller/codec/bind.o: controller/codec/bind.c \
 controller/codec/bind.h common/base/arena.h common/base/mem.h \
 common/base/err.h controller/core/schema.h controller/core/command.h \
 controller/core/model.h common/base/id.h common/base/str.h
controller/codec/bind.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
controller/core/schema.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
