build2/obj/common/base/map.o: common/base/map.c common/base/map.h \
 common/base/mem.h
common/base/map.h:
common/base/mem.h:
