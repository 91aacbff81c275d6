build2/obj/tests/lib/wgl.o: tests/lib/wgl.c tests/lib/wgl.h \
 tests/lib/lincheck.h common/base/buf.h common/base/mem.h \
 tests/lib/history.h common/base/err.h common/base/map.h \
 common/base/hash.h
tests/lib/wgl.h:
tests/lib/lincheck.h:
common/base/buf.h:
common/base/mem.h:
tests/lib/history.h:
common/base/err.h:
common/base/map.h:
common/base/hash.h:
