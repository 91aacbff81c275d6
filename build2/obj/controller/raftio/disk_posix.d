build2/obj/controller/raftio/disk_posix.o: controller/raftio/disk_posix.c \
 controller/raftio/disk.h common/base/err.h
controller/raftio/disk.h:
common/base/err.h:
