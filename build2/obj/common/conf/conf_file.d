build2/obj/common/conf/conf_file.o: common/conf/conf_file.c \
 common/base/buf.h common/base/mem.h common/conf/conf_impl.h \
 common/base/arena.h common/conf/conf.h common/base/err.h \
 common/base/str.h common/loop/sysmem.h
common/base/buf.h:
common/base/mem.h:
common/conf/conf_impl.h:
common/base/arena.h:
common/conf/conf.h:
common/base/err.h:
common/base/str.h:
common/loop/sysmem.h:
