build2/obj/tests/sim/simworld.o: tests/sim/simworld.c tests/sim/simworld.h \
 controller/raft/conf.h common/base/err.h common/base/str.h \
 controller/raftio/message.h common/base/buf.h common/base/mem.h \
 controller/raft/replica.h tests/sim/simdisk.h common/base/prng.h \
 controller/raftio/disk.h tests/sim/simworld_impl.h common/base/heap.h \
 common/base/list.h controller/raftio/durable.h \
 controller/raftio/logfile.h controller/raft/cache.h \
 controller/raftio/transfer.h
tests/sim/simworld.h:
controller/raft/conf.h:
common/base/err.h:
common/base/str.h:
controller/raftio/message.h:
common/base/buf.h:
common/base/mem.h:
controller/raft/replica.h:
tests/sim/simdisk.h:
common/base/prng.h:
controller/raftio/disk.h:
tests/sim/simworld_impl.h:
common/base/heap.h:
common/base/list.h:
controller/raftio/durable.h:
controller/raftio/logfile.h:
controller/raft/cache.h:
controller/raftio/transfer.h:
