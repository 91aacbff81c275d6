build2/obj/common/net/grpc_wire.o: common/net/grpc_wire.c \
 common/net/grpc_wire.h common/base/arena.h common/base/mem.h \
 common/base/buf.h common/base/str.h common/net/grpc.h common/base/err.h \
 common/net/http.h common/loop/loop.h common/net/addr.h \
 common/net/stream.h common/net/tls.h common/net/pki.h \
 common/loop/sysmem.h
common/net/grpc_wire.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/str.h:
common/net/grpc.h:
common/base/err.h:
common/net/http.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/loop/sysmem.h:
