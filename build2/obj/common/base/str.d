build2/obj/common/base/str.o: common/base/str.c common/base/str.h
common/base/str.h:
