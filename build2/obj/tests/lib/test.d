build2/obj/tests/lib/test.o: tests/lib/test.c tests/lib/test.h \
 common/base/mem.h
tests/lib/test.h:
common/base/mem.h:
