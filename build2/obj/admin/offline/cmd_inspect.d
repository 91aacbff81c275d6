build2/obj/admin/offline/cmd_inspect.o: admin/offline/cmd_inspect.c \
 admin/cli.h common/base/err.h common/conf/conf.h common/base/mem.h \
 common/base/str.h admin/offline/describe.h controller/core/command.h \
 controller/core/model.h common/base/id.h controller/core/schema.h \
 common/base/arena.h admin/offline/place.h common/loop/sysmem.h \
 controller/codec/object.h common/base/buf.h controller/raftio/logread.h \
 controller/raftio/disk.h controller/storage/image.h \
 controller/core/store.h controller/storage/checkpoint.h \
 controller/storage/history.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
admin/offline/describe.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/core/schema.h:
common/base/arena.h:
admin/offline/place.h:
common/loop/sysmem.h:
controller/codec/object.h:
common/base/buf.h:
controller/raftio/logread.h:
controller/raftio/disk.h:
controller/storage/image.h:
controller/core/store.h:
controller/storage/checkpoint.h:
controller/storage/history.h:
