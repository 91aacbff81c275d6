build2/obj/tests/lib/world.o: tests/lib/world.c tests/lib/world.h \
 common/base/arena.h common/base/mem.h controller/core/store.h \
 common/base/err.h controller/core/command.h controller/core/model.h \
 common/base/id.h common/base/str.h tests/lib/test.h
tests/lib/world.h:
common/base/arena.h:
common/base/mem.h:
controller/core/store.h:
common/base/err.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/str.h:
tests/lib/test.h:
