build2/obj/common/loop/priority.o: common/loop/priority.c \
 common/loop/priority.h common/base/err.h
common/loop/priority.h:
common/base/err.h:
