build2/obj/controller/storage/history.o: controller/storage/history.c \
 controller/storage/history.h common/base/arena.h common/base/mem.h \
 common/base/err.h common/base/str.h controller/storage/db.h \
 controller/core/model.h common/base/id.h controller/storage/checkpoint.h \
 controller/codec/object.h common/base/buf.h controller/core/command.h \
 controller/core/store.h controller/storage/history_file.h
controller/storage/history.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
controller/storage/db.h:
controller/core/model.h:
common/base/id.h:
controller/storage/checkpoint.h:
controller/codec/object.h:
common/base/buf.h:
controller/core/command.h:
controller/core/store.h:
controller/storage/history_file.h:
