build2/obj/tests/lib/testnet.o: tests/lib/testnet.c tests/lib/testnet.h \
 common/net/pki.h common/base/buf.h common/base/mem.h common/base/err.h \
 common/base/str.h common/net/tls.h common/loop/loop.h \
 common/loop/sysmem.h
tests/lib/testnet.h:
common/net/pki.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
common/net/tls.h:
common/loop/loop.h:
common/loop/sysmem.h:
