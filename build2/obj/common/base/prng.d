build2/obj/common/base/prng.o: common/base/prng.c common/base/prng.h
common/base/prng.h:
