build2/obj/controller/program/settings.o: controller/program/settings.c \
 controller/program/settings.h common/base/err.h common/conf/conf.h \
 common/base/mem.h common/base/str.h controller/engine/open.h \
 controller/engine/engine.h common/base/arena.h common/base/list.h \
 controller/core/audit.h controller/core/store.h \
 controller/core/command.h controller/core/model.h common/base/id.h \
 controller/core/leader.h controller/ring/ring.h \
 controller/codec/object.h common/base/buf.h common/net/addr.h
controller/program/settings.h:
common/base/err.h:
common/conf/conf.h:
common/base/mem.h:
common/base/str.h:
controller/engine/open.h:
controller/engine/engine.h:
common/base/arena.h:
common/base/list.h:
controller/core/audit.h:
controller/core/store.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
controller/core/leader.h:
controller/ring/ring.h:
controller/codec/object.h:
common/base/buf.h:
common/net/addr.h:
