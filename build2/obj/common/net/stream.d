build2/obj/common/net/stream.o: common/net/stream.c common/net/stream.h \
 common/base/err.h common/net/addr.h common/base/str.h common/net/tls.h \
 common/base/buf.h common/base/mem.h common/net/pki.h common/base/list.h \
 common/loop/loop.h common/loop/sysmem.h common/net/stream_impl.h
common/net/stream.h:
common/base/err.h:
common/net/addr.h:
common/base/str.h:
common/net/tls.h:
common/base/buf.h:
common/base/mem.h:
common/net/pki.h:
common/base/list.h:
common/loop/loop.h:
common/loop/sysmem.h:
common/net/stream_impl.h:
