build2/obj/controller/raft/cache.o: controller/raft/cache.c \
 controller/raft/cache.h common/base/mem.h
controller/raft/cache.h:
common/base/mem.h:
