build2/obj/common/net/http1.o: common/net/http1.c common/loop/sysmem.h \
 common/base/mem.h common/net/http_impl.h common/base/arena.h \
 common/base/buf.h common/base/list.h common/loop/loop.h \
 common/base/err.h common/net/h2.h common/net/http.h common/base/str.h \
 common/net/addr.h common/net/stream.h common/net/tls.h common/net/pki.h
common/loop/sysmem.h:
common/base/mem.h:
common/net/http_impl.h:
common/base/arena.h:
common/base/buf.h:
common/base/list.h:
common/loop/loop.h:
common/base/err.h:
common/net/h2.h:
common/net/http.h:
common/base/str.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
