build2/obj/common/loop/loop.o: common/loop/loop.c common/loop/loop.h \
 common/base/err.h common/loop/sysmem.h common/base/mem.h
common/loop/loop.h:
common/base/err.h:
common/loop/sysmem.h:
common/base/mem.h:
