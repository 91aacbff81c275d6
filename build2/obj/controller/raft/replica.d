build2/obj/controller/raft/replica.o: controller/raft/replica.c \
 controller/raft/replica.h common/base/err.h common/base/mem.h \
 controller/raft/conf.h common/base/str.h controller/raft/replica_impl.h \
 controller/raft/cache.h
controller/raft/replica.h:
common/base/err.h:
common/base/mem.h:
controller/raft/conf.h:
common/base/str.h:
controller/raft/replica_impl.h:
controller/raft/cache.h:
