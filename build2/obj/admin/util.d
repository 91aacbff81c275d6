build2/obj/admin/util.o: admin/util.c admin/cli.h common/base/err.h \
 common/conf/conf.h common/base/mem.h common/base/str.h common/base/hex.h \
 common/loop/loop.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
common/base/hex.h:
common/loop/loop.h:
