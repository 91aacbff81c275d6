build2/obj/controller/core/placement/regex.o: \
 controller/core/placement/regex.c controller/core/placement/regex.h \
 common/base/err.h common/base/mem.h common/base/str.h
controller/core/placement/regex.h:
common/base/err.h:
common/base/mem.h:
common/base/str.h:
