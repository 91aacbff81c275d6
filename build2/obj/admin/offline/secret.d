build2/obj/admin/offline/secret.o: admin/offline/secret.c \
 admin/offline/secret.h admin/cli.h common/base/err.h common/conf/conf.h \
 common/base/mem.h common/base/str.h admin/offline/backup.h \
 common/base/id.h
admin/offline/secret.h:
admin/cli.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
admin/offline/backup.h:
common/base/id.h:
