build2/obj/tests/lib/lincheck.o: tests/lib/lincheck.c tests/lib/lincheck.h \
 common/base/buf.h common/base/mem.h tests/lib/history.h \
 common/base/err.h common/base/map.h tests/lib/wgl.h
tests/lib/lincheck.h:
common/base/buf.h:
common/base/mem.h:
tests/lib/history.h:
common/base/err.h:
common/base/map.h:
tests/lib/wgl.h:
