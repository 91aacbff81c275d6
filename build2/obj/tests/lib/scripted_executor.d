build2/obj/tests/lib/scripted_executor.o: tests/lib/scripted_executor.c \
 tests/lib/scripted_executor.h agent/core/executor.h agent/core/spec.h \
 common/base/id.h common/base/str.h common/base/buf.h common/base/mem.h \
 common/base/err.h common/base/list.h common/loop/loop.h \
 common/loop/sysmem.h
tests/lib/scripted_executor.h:
agent/core/executor.h:
agent/core/spec.h:
common/base/id.h:
common/base/str.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/list.h:
common/loop/loop.h:
common/loop/sysmem.h:
