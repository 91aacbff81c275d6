build2/obj/common/base/hash.o: common/base/hash.c common/base/hash.h \
 common/base/buf.h common/base/mem.h common/base/crc32c_table.h
common/base/hash.h:
common/base/buf.h:
common/base/mem.h:
common/base/crc32c_table.h:
