build2/obj/controller/raftio/raftnode_io.o: \
 controller/raftio/raftnode_io.c common/log/log.h common/base/err.h \
 common/base/id.h common/base/str.h controller/raftio/raftnode_impl.h \
 common/base/list.h common/loop/loop.h controller/raft/conf.h \
 controller/raft/replica.h common/base/mem.h controller/raftio/disk.h \
 controller/raftio/durable.h controller/raftio/logfile.h \
 controller/raft/cache.h controller/raftio/peers.h \
 controller/raftio/message.h common/base/buf.h \
 controller/raftio/raftnode.h controller/raftio/transfer.h \
 controller/raftio/writer.h
common/log/log.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
controller/raftio/raftnode_impl.h:
common/base/list.h:
common/loop/loop.h:
controller/raft/conf.h:
controller/raft/replica.h:
common/base/mem.h:
controller/raftio/disk.h:
controller/raftio/durable.h:
controller/raftio/logfile.h:
controller/raft/cache.h:
controller/raftio/peers.h:
controller/raftio/message.h:
common/base/buf.h:
controller/raftio/raftnode.h:
controller/raftio/transfer.h:
controller/raftio/writer.h:
