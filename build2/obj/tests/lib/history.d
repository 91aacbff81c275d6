build2/obj/tests/lib/history.o: tests/lib/history.c tests/lib/history.h \
 common/base/buf.h common/base/mem.h common/base/err.h common/base/map.h \
 common/base/hash.h common/base/str.h
tests/lib/history.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/map.h:
common/base/hash.h:
common/base/str.h:
