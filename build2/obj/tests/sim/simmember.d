build2/obj/tests/sim/simmember.o: tests/sim/simmember.c \
 tests/sim/simworld_impl.h common/base/heap.h common/base/mem.h \
 common/base/list.h common/base/prng.h controller/raft/replica.h \
 common/base/err.h controller/raftio/durable.h controller/raft/conf.h \
 common/base/str.h controller/raftio/disk.h controller/raftio/logfile.h \
 controller/raft/cache.h controller/raftio/transfer.h \
 controller/raftio/message.h common/base/buf.h tests/sim/simworld.h \
 tests/sim/simdisk.h
tests/sim/simworld_impl.h:
common/base/heap.h:
common/base/mem.h:
common/base/list.h:
common/base/prng.h:
controller/raft/replica.h:
common/base/err.h:
controller/raftio/durable.h:
controller/raft/conf.h:
common/base/str.h:
controller/raftio/disk.h:
controller/raftio/logfile.h:
controller/raft/cache.h:
controller/raftio/transfer.h:
controller/raftio/message.h:
common/base/buf.h:
tests/sim/simworld.h:
tests/sim/simdisk.h:
