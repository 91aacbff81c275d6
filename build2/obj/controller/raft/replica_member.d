build2/obj/controller/raft/replica_member.o: \
 controller/raft/replica_member.c controller/raft/conf.h \
 common/base/err.h common/base/str.h controller/raft/replica_impl.h \
 controller/raft/cache.h common/base/mem.h controller/raft/replica.h
controller/raft/conf.h:
common/base/err.h:
common/base/str.h:
controller/raft/replica_impl.h:
controller/raft/cache.h:
common/base/mem.h:
controller/raft/replica.h:
