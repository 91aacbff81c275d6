build2/obj/admin/cmd_history.o: admin/cmd_history.c admin/cli.h \
 common/base/err.h common/conf/conf.h common/base/mem.h common/base/str.h \
 common/loop/loop.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
common/loop/loop.h:
