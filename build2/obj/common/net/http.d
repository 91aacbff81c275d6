build2/obj/common/net/http.o: common/net/http.c common/net/http.h \
 common/base/buf.h common/base/mem.h common/base/err.h common/base/str.h \
 common/loop/loop.h common/net/addr.h common/net/stream.h \
 common/net/tls.h common/net/pki.h common/base/list.h common/log/log.h \
 common/base/id.h common/loop/sysmem.h common/net/http_impl.h \
 common/base/arena.h common/net/h2.h
common/net/http.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/base/list.h:
common/log/log.h:
common/base/id.h:
common/loop/sysmem.h:
common/net/http_impl.h:
common/base/arena.h:
common/net/h2.h:
