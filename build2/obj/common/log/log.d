build2/obj/common/log/log.o: common/log/log.c common/log/log.h \
 common/base/err.h common/base/id.h common/base/str.h
common/log/log.h:
common/base/err.h:
common/base/id.h:
common/base/str.h:
