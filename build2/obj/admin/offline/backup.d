build2/obj/admin/offline/backup.o: admin/offline/backup.c \
 admin/offline/backup.h common/base/err.h common/base/id.h \
 common/base/str.h common/base/buf.h common/base/mem.h common/base/hash.h \
 common/base/hex.h
admin/offline/backup.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
common/base/buf.h:
common/base/mem.h:
common/base/hash.h:
common/base/hex.h:
