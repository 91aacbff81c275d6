build2/obj/common/net/listener.o: common/net/listener.c common/base/list.h \
 common/log/log.h common/base/err.h common/base/id.h common/base/str.h \
 common/loop/sysmem.h common/base/mem.h common/net/stream_impl.h \
 common/net/stream.h common/net/addr.h common/net/tls.h common/base/buf.h \
 common/net/pki.h
common/base/list.h:
common/log/log.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
common/loop/sysmem.h:
common/base/mem.h:
common/net/stream_impl.h:
common/net/stream.h:
common/net/addr.h:
common/net/tls.h:
common/base/buf.h:
common/net/pki.h:
