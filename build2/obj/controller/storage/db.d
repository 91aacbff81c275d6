build2/obj/controller/storage/db.o: controller/storage/db.c \
 controller/storage/db.h common/base/err.h common/base/str.h \
 controller/core/model.h common/base/id.h controller/storage/checkpoint.h \
 common/base/mem.h controller/codec/object.h common/base/arena.h \
 common/base/buf.h controller/core/command.h controller/core/store.h \
 controller/storage/history.h common/base/hash.h
controller/storage/db.h:
common/base/err.h:
common/base/str.h:
controller/core/model.h:
common/base/id.h:
controller/storage/checkpoint.h:
common/base/mem.h:
controller/codec/object.h:
common/base/arena.h:
common/base/buf.h:
controller/core/command.h:
controller/core/store.h:
controller/storage/history.h:
common/base/hash.h:
