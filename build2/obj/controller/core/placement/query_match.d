build2/obj/controller/core/placement/query_match.o: \
 controller/core/placement/query_match.c \
 controller/core/placement/query_impl.h controller/core/placement/query.h \
 common/base/buf.h common/base/mem.h common/base/err.h common/base/str.h \
 controller/core/placement/regex.h
controller/core/placement/query_impl.h:
controller/core/placement/query.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
controller/core/placement/regex.h:
