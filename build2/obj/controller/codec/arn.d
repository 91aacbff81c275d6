build2/obj/controller/codec/arn.o: controller/codec/arn.c \
 controller/codec/arn.h common/base/arena.h common/base/mem.h \
 common/base/err.h common/base/id.h common/base/str.h \
 controller/core/limits.h
controller/codec/arn.h:
common/base/arena.h:
common/base/mem.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
controller/core/limits.h:
