build2/obj/controller/storage/snapshot.o: controller/storage/snapshot.c \
 controller/storage/checkpoint.h common/base/err.h common/base/mem.h \
 controller/codec/object.h common/base/arena.h common/base/buf.h \
 common/base/str.h controller/core/command.h controller/core/model.h \
 common/base/id.h controller/core/store.h controller/storage/history.h \
 controller/storage/storage_int.h controller/storage/db.h \
 controller/storage/history_file.h controller/storage/pending.h \
 common/base/map.h
controller/storage/checkpoint.h:
common/base/err.h:
common/base/mem.h:
controller/codec/object.h:
common/base/arena.h:
common/base/buf.h:
common/base/str.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/core/store.h:
controller/storage/history.h:
controller/storage/storage_int.h:
controller/storage/db.h:
controller/storage/history_file.h:
controller/storage/pending.h:
common/base/map.h:
