build2/obj/controller/raftio/logread.o: controller/raftio/logread.c \
 controller/raftio/logread.h common/base/err.h common/base/mem.h \
 controller/raftio/disk.h controller/raftio/logfile_impl.h \
 common/base/buf.h common/base/hash.h controller/raftio/logfile.h \
 controller/raft/cache.h controller/raft/replica.h \
 controller/raftio/slots.h
controller/raftio/logread.h:
common/base/err.h:
common/base/mem.h:
controller/raftio/disk.h:
controller/raftio/logfile_impl.h:
common/base/buf.h:
common/base/hash.h:
controller/raftio/logfile.h:
controller/raft/cache.h:
controller/raft/replica.h:
controller/raftio/slots.h:
