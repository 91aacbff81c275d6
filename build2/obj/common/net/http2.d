build2/obj/common/net/http2.o: common/net/http2.c common/loop/sysmem.h \
 common/base/mem.h common/net/h2.h common/base/buf.h common/net/http.h \
 common/base/err.h common/base/str.h common/loop/loop.h common/net/addr.h \
 common/net/stream.h common/net/tls.h common/net/pki.h \
 common/net/http_impl.h common/base/arena.h common/base/list.h
common/loop/sysmem.h:
common/base/mem.h:
common/net/h2.h:
common/base/buf.h:
common/net/http.h:
common/base/err.h:
common/base/str.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/net/http_impl.h:
common/base/arena.h:
common/base/list.h:
