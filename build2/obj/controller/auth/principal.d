build2/obj/controller/auth/principal.o: controller/auth/principal.c \
 controller/auth/principal.h common/base/arena.h common/base/mem.h \
 common/base/err.h common/base/str.h common/net/pki.h common/base/buf.h
controller/auth/principal.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
common/net/pki.h:
common/base/buf.h:
