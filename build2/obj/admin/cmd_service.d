build2/obj/admin/cmd_service.o: admin/cmd_service.c admin/cli.h \
 common/base/err.h common/conf/conf.h common/base/mem.h common/base/str.h \
 common/loop/loop.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
common/loop/loop.h:
