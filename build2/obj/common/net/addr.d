build2/obj/common/net/addr.o: common/net/addr.c common/net/addr.h \
 common/base/err.h common/base/str.h common/base/hash.h \
 common/loop/loop.h common/loop/sysmem.h common/base/mem.h
common/net/addr.h:
common/base/err.h:
common/base/str.h:
common/base/hash.h:
common/loop/loop.h:
common/loop/sysmem.h:
common/base/mem.h:
