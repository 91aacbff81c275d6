build2/obj/controller/raft/conf.o: controller/raft/conf.c \
 controller/raft/conf.h common/base/err.h common/base/str.h \
 common/base/buf.h common/base/mem.h controller/raft/replica.h
controller/raft/conf.h:
common/base/err.h:
common/base/str.h:
common/base/buf.h:
common/base/mem.h:
controller/raft/replica.h:
