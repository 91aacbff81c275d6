build2/obj/controller/auth/hasher.o: controller/auth/hasher.c \
 controller/auth/hasher.h common/base/hex.h
controller/auth/hasher.h:
common/base/hex.h:
