build2/obj/tests/sim/simdisk.o: tests/sim/simdisk.c tests/sim/simdisk.h \
 common/base/mem.h common/base/prng.h controller/raftio/disk.h \
 common/base/err.h
tests/sim/simdisk.h:
common/base/mem.h:
common/base/prng.h:
controller/raftio/disk.h:
common/base/err.h:
