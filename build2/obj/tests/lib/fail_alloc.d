build2/obj/tests/lib/fail_alloc.o: tests/lib/fail_alloc.c \
 tests/lib/fail_alloc.h tests/lib/test.h common/base/mem.h
tests/lib/fail_alloc.h:
tests/lib/test.h:
common/base/mem.h:
