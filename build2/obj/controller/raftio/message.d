build2/obj/controller/raftio/message.o: controller/raftio/message.c \
 controller/raftio/message.h common/base/buf.h common/base/mem.h \
 common/base/err.h common/base/str.h controller/raft/replica.h \
 controller/raft/conf.h
controller/raftio/message.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
controller/raft/replica.h:
controller/raft/conf.h:
