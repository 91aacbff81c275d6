build2/obj/common/net/pki_file.o: common/net/pki_file.c common/net/pki.h \
 common/base/buf.h common/base/mem.h common/base/err.h common/base/str.h
common/net/pki.h:
common/base/buf.h:
common/base/mem.h:
common/base/err.h:
common/base/str.h:
