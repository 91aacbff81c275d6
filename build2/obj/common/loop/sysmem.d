build2/obj/common/loop/sysmem.o: common/loop/sysmem.c common/loop/sysmem.h \
 common/base/mem.h
common/loop/sysmem.h:
common/base/mem.h:
