build2/obj/controller/raftio/transfer.o: controller/raftio/transfer.c \
 controller/raftio/transfer.h common/base/err.h common/base/mem.h \
 controller/raft/replica.h controller/raftio/message.h common/base/buf.h \
 common/base/str.h
controller/raftio/transfer.h:
common/base/err.h:
common/base/mem.h:
controller/raft/replica.h:
controller/raftio/message.h:
common/base/buf.h:
common/base/str.h:
