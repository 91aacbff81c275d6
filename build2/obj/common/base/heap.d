build2/obj/common/base/heap.o: common/base/heap.c common/base/heap.h \
 common/base/mem.h
common/base/heap.h:
common/base/mem.h:
