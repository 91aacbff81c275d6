build2/obj/controller/raftio/logfile_scan.o: \
 controller/raftio/logfile_scan.c common/base/str.h \
 controller/raftio/logfile_impl.h common/base/buf.h common/base/mem.h \
 common/base/hash.h controller/raftio/logfile.h common/base/err.h \
 controller/raft/cache.h controller/raft/replica.h \
 controller/raftio/disk.h controller/raftio/slots.h
common/base/str.h:
controller/raftio/logfile_impl.h:
common/base/buf.h:
common/base/mem.h:
common/base/hash.h:
controller/raftio/logfile.h:
common/base/err.h:
controller/raft/cache.h:
controller/raft/replica.h:
controller/raftio/disk.h:
controller/raftio/slots.h:
