build2/obj/tests/load/main.o: tests/load/main.c tests/load/load.h \
 common/base/arena.h common/base/mem.h common/base/prng.h \
 common/conf/conf.h common/base/err.h common/base/str.h \
 common/loop/loop.h common/net/grpc_client.h common/net/grpc.h \
 common/net/http.h common/base/buf.h common/net/addr.h \
 common/net/stream.h common/net/tls.h common/net/pki.h \
 common/net/http_client.h tests/lib/history.h common/base/map.h \
 common/loop/sysmem.h
tests/load/load.h:
common/base/arena.h:
common/base/mem.h:
common/base/prng.h:
common/conf/conf.h:
common/base/err.h:
common/base/str.h:
common/loop/loop.h:
common/net/grpc_client.h:
common/net/grpc.h:
common/net/http.h:
common/base/buf.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/net/http_client.h:
tests/lib/history.h:
common/base/map.h:
common/loop/sysmem.h:
