build2/obj/common/base/buf.o: common/base/buf.c common/base/buf.h \
 common/base/mem.h
common/base/buf.h:
common/base/mem.h:
