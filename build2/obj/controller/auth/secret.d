build2/obj/controller/auth/secret.o: controller/auth/secret.c \
 controller/auth/secret.h common/base/err.h common/base/str.h \
 common/base/hex.h
controller/auth/secret.h:
common/base/err.h:
common/base/str.h:
common/base/hex.h:
