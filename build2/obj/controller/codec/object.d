build2/obj/controller/codec/object.o: controller/codec/object.c \
 controller/codec/object.h common/base/arena.h common/base/mem.h \
 common/base/buf.h common/base/err.h common/base/str.h \
 controller/core/command.h controller/core/model.h common/base/id.h \
 common/base/hash.h controller/codec/bind.h controller/core/schema.h \
 controller/codec/wire.h build2/gen/proto/ecs/log/v1/log.pb-c.h \
 build2/gen/proto/ecs/log/v1/rows.pb-c.h \
 build2/gen/proto/ecs/log/v1/spec.pb-c.h
controller/codec/object.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/err.h:
common/base/str.h:
controller/core/command.h:
controller/core/model.h:
common/base/id.h:
common/base/hash.h:
controller/codec/bind.h:
controller/core/schema.h:
controller/codec/wire.h:
build2/gen/proto/ecs/log/v1/log.pb-c.h:
build2/gen/proto/ecs/log/v1/rows.pb-c.h:
build2/gen/proto/ecs/log/v1/spec.pb-c.h:
