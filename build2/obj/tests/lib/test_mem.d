build2/obj/tests/lib/test_mem.o: tests/lib/test_mem.c tests/lib/test.h \
 common/base/mem.h
tests/lib/test.h:
common/base/mem.h:
