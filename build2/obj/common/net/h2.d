build2/obj/common/net/h2.o: common/net/h2.c common/net/h2.h \
 common/base/buf.h common/base/mem.h common/net/http.h common/base/err.h \
 common/base/str.h common/loop/loop.h common/net/addr.h \
 common/net/stream.h common/net/tls.h common/net/pki.h \
 common/loop/sysmem.h
common/net/h2.h:
common/base/buf.h:
common/base/mem.h:
common/net/http.h:
common/base/err.h:
common/base/str.h:
common/loop/loop.h:
common/net/addr.h:
common/net/stream.h:
common/net/tls.h:
common/net/pki.h:
common/loop/sysmem.h:
