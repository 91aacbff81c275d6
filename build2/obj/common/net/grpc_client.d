build2/obj/common/net/grpc_client.o: common/net/grpc_client.c \
 common/net/grpc_client.h common/base/err.h common/base/str.h \
 common/net/grpc.h common/net/http.h common/base/buf.h common/base/mem.h \
 common/loop/loop.h common/net/addr.h common/net/stream.h \
 common/net/tls.h common/net/pki.h common/net/http_client.h \
 common/base/arena.h common/base/list.h common/base/prng.h \
 common/loop/sysmem.h common/net/grpc_wire.h common/net/http_impl.h \
 common/net/h2.h
common/net/grpc_client.h:
common/base/err.h:
common/base/str.h:
common/net/grpc.h:
common/net/http.h:
common/base/buf.h:
common/base/mem.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/net/http_client.h:
common/base/arena.h:
common/base/list.h:
common/base/prng.h:
common/loop/sysmem.h:
common/net/grpc_wire.h:
common/net/http_impl.h:
common/net/h2.h:
