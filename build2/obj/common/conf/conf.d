build2/obj/common/conf/conf.o: common/conf/conf.c common/conf/conf.h \
 common/base/err.h common/base/mem.h common/base/str.h \
 common/conf/conf_impl.h common/base/arena.h common/loop/sysmem.h
common/conf/conf.h:
common/base/err.h:
common/base/mem.h:
common/base/str.h:
common/conf/conf_impl.h:
common/base/arena.h:
common/loop/sysmem.h:
