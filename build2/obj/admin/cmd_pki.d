build2/obj/admin/cmd_pki.o: admin/cmd_pki.c admin/cli.h common/base/err.h \
 common/conf/conf.h common/base/mem.h common/base/str.h \
 common/loop/loop.h common/loop/sysmem.h common/net/pki.h \
 common/base/buf.h
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
common/loop/loop.h:
common/loop/sysmem.h:
common/net/pki.h:
common/base/buf.h:
