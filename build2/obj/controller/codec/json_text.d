build2/obj/controller/codec/json_text.o: controller/codec/json_text.c \
 controller/codec/json_text.h common/base/arena.h common/base/mem.h \
 common/base/str.h
controller/codec/json_text.h:
common/base/arena.h:
common/base/mem.h:
common/base/str.h:
