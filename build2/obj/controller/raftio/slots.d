build2/obj/controller/raftio/slots.o: controller/raftio/slots.c \
 controller/raftio/slots.h common/base/err.h controller/raftio/disk.h \
 common/base/buf.h common/base/mem.h common/base/hash.h
controller/raftio/slots.h:
common/base/err.h:
controller/raftio/disk.h:
common/base/buf.h:
common/base/mem.h:
common/base/hash.h:
