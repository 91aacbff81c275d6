build2/obj/controller/raftio/disk_readonly.o: \
 controller/raftio/disk_readonly.c controller/raftio/disk.h \
 common/base/err.h
controller/raftio/disk.h:
common/base/err.h:
