build2/obj/tests/lib/fake_controller.o: tests/lib/fake_controller.c \
 tests/lib/fake_controller.h agent/core/message.h agent/core/spec.h \
 common/base/id.h common/base/str.h common/base/buf.h common/base/mem.h \
 common/net/addr.h common/base/err.h common/net/grpc.h common/net/http.h \
 common/loop/loop.h common/net/stream.h common/net/tls.h common/net/pki.h \
 tests/lib/testnet.h agent/link/message.h agent/link/wire.h \
 common/base/arena.h common/loop/sysmem.h
tests/lib/fake_controller.h:
agent/core/message.h:
agent/core/spec.h:
common/base/id.h:
common/base/str.h:
common/base/buf.h:
common/base/mem.h:
common/net/addr.h:
common/base/err.h:
common/net/grpc.h:
common/net/http.h:
common/loop/loop.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
tests/lib/testnet.h:
agent/link/message.h:
agent/link/wire.h:
common/base/arena.h:
common/loop/sysmem.h:
