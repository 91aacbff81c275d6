build2/obj/admin/cmd_verify.o: admin/cmd_verify.c admin/cli.h \
 common/base/err.h common/conf/conf.h common/base/mem.h common/base/str.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
