build2/obj/controller/raftio/logfile.o: controller/raftio/logfile.c \
 controller/raftio/logfile.h common/base/err.h common/base/mem.h \
 controller/raft/cache.h controller/raft/replica.h \
 controller/raftio/disk.h controller/raftio/logfile_impl.h \
 common/base/buf.h common/base/hash.h controller/raftio/slots.h
controller/raftio/logfile.h:
common/base/err.h:
common/base/mem.h:
controller/raft/cache.h:
controller/raft/replica.h:
controller/raftio/disk.h:
controller/raftio/logfile_impl.h:
common/base/buf.h:
common/base/hash.h:
controller/raftio/slots.h:
