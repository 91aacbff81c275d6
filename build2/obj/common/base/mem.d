build2/obj/common/base/mem.o: common/base/mem.c common/base/mem.h
common/base/mem.h:
