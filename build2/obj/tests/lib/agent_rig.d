build2/obj/tests/lib/agent_rig.o: tests/lib/agent_rig.c \
 tests/lib/agent_rig.h agent/runtime/driver.h agent/core/executor.h \
 agent/core/spec.h common/base/id.h common/base/str.h common/base/buf.h \
 common/base/mem.h common/base/err.h agent/proc/spawn.h \
 common/loop/loop.h tests/lib/test.h
tests/lib/agent_rig.h:
agent/runtime/driver.h:
agent/core/executor.h:
agent/core/spec.h:
common/base/id.h:
common/base/str.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
agent/proc/spawn.h:
common/loop/loop.h:
tests/lib/test.h:
