build2/obj/controller/raftio/writer.o: controller/raftio/writer.c \
 controller/raftio/writer.h common/base/err.h controller/raft/replica.h \
 common/base/mem.h controller/raftio/logfile.h controller/raft/cache.h \
 controller/raftio/disk.h common/base/list.h common/loop/sysmem.h
controller/raftio/writer.h:
common/base/err.h:
controller/raft/replica.h:
common/base/mem.h:
controller/raftio/logfile.h:
controller/raft/cache.h:
controller/raftio/disk.h:
common/base/list.h:
common/loop/sysmem.h:
