build2/obj/controller/raft/replica_read.o: controller/raft/replica_read.c \
 controller/raft/replica_impl.h controller/raft/cache.h common/base/mem.h \
 controller/raft/conf.h common/base/err.h common/base/str.h \
 controller/raft/replica.h
controller/raft/replica_impl.h:
controller/raft/cache.h:
common/base/mem.h:
controller/raft/conf.h:
common/base/err.h:
common/base/str.h:
controller/raft/replica.h:
