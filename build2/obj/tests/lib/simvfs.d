build2/obj/tests/lib/simvfs.o: tests/lib/simvfs.c tests/lib/simvfs.h \
 tests/sim/simdisk.h common/base/mem.h common/base/prng.h \
 controller/raftio/disk.h common/base/err.h
tests/lib/simvfs.h:
tests/sim/simdisk.h:
common/base/mem.h:
common/base/prng.h:
controller/raftio/disk.h:
common/base/err.h:
