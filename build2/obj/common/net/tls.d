build2/obj/common/net/tls.o: common/net/tls.c common/net/tls.h \
 common/base/buf.h common/base/mem.h common/base/err.h common/base/str.h \
 common/net/pki.h common/loop/sysmem.h common/net/addr.h \
 common/net/pki_x509.h
common/net/tls.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
common/net/pki.h:
common/loop/sysmem.h:
common/net/addr.h:
common/net/pki_x509.h:
