build2/obj/controller/codec/names.o: controller/codec/names.c \
 controller/codec/names.h common/base/str.h
controller/codec/names.h:
common/base/str.h:
