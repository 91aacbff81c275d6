build2/obj/common/net/pki.o: common/net/pki.c common/net/pki.h \
 common/base/buf.h common/base/mem.h common/base/err.h common/base/str.h \
 common/base/hex.h common/net/addr.h common/net/pki_x509.h
common/net/pki.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
common/base/hex.h:
common/net/addr.h:
common/net/pki_x509.h:
