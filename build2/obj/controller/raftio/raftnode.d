build2/obj/controller/raftio/raftnode.o: controller/raftio/raftnode.c \
 controller/raftio/raftnode.h common/base/err.h common/base/mem.h \
 common/base/str.h common/log/log.h common/base/id.h common/loop/sysmem.h \
 controller/raftio/raftnode_impl.h common/base/list.h common/loop/loop.h \
 controller/raft/conf.h controller/raft/replica.h \
 controller/raftio/disk.h controller/raftio/durable.h \
 controller/raftio/logfile.h controller/raft/cache.h \
 controller/raftio/peers.h controller/raftio/message.h common/base/buf.h \
 controller/raftio/transfer.h controller/raftio/writer.h
controller/raftio/raftnode.h:
common/base/err.h:
common/base/mem.h:
common/base/str.h:
common/log/log.h:
common/base/id.h:
common/loop/sysmem.h:
controller/raftio/raftnode_impl.h:
common/base/list.h:
common/loop/loop.h:
controller/raft/conf.h:
controller/raft/replica.h:
controller/raftio/disk.h:
controller/raftio/durable.h:
controller/raftio/logfile.h:
controller/raft/cache.h:
controller/raftio/peers.h:
controller/raftio/message.h:
common/base/buf.h:
controller/raftio/transfer.h:
controller/raftio/writer.h:
