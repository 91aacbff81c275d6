build2/obj/controller/raftio/durable.o: controller/raftio/durable.c \
 controller/raftio/durable.h common/base/err.h common/base/mem.h \
 controller/raft/conf.h common/base/str.h controller/raft/replica.h \
 controller/raftio/disk.h controller/raftio/logfile.h \
 controller/raft/cache.h common/base/buf.h controller/raftio/slots.h
controller/raftio/durable.h:
common/base/err.h:
common/base/mem.h:
controller/raft/conf.h:
common/base/str.h:
controller/raft/replica.h:
controller/raftio/disk.h:
controller/raftio/logfile.h:
controller/raft/cache.h:
common/base/buf.h:
controller/raftio/slots.h:
