build2/obj/common/base/id.o: common/base/id.c common/base/id.h \
 common/base/str.h common/base/hash.h
common/base/id.h:
common/base/str.h:
common/base/hash.h:
