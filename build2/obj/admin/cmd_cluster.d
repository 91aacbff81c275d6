build2/obj/admin/cmd_cluster.o: admin/cmd_cluster.c admin/cli.h \
 common/base/err.h common/conf/conf.h common/base/mem.h common/base/str.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
