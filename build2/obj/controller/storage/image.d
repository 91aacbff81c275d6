build2/obj/controller/storage/image.o: controller/storage/image.c \
 controller/storage/image.h common/base/err.h common/base/mem.h \
 common/base/str.h controller/codec/object.h common/base/arena.h \
 common/base/buf.h controller/core/command.h controller/core/model.h \
 common/base/id.h controller/core/store.h controller/storage/checkpoint.h \
 controller/storage/history.h controller/storage/load.h \
 controller/storage/storage_int.h controller/storage/db.h \
 controller/storage/history_file.h controller/storage/pending.h \
 common/base/map.h
controller/storage/image.h:
common/base/err.h:
common/base/mem.h:
common/base/str.h:
controller/codec/object.h:
common/base/arena.h:
common/base/buf.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/core/store.h:
controller/storage/checkpoint.h:
controller/storage/history.h:
controller/storage/load.h:
controller/storage/storage_int.h:
controller/storage/db.h:
controller/storage/history_file.h:
controller/storage/pending.h:
common/base/map.h:
