build2/obj/controller/storage/pending.o: controller/storage/pending.c \
 controller/storage/pending.h common/base/arena.h common/base/mem.h \
 common/base/map.h common/base/str.h common/base/hash.h
controller/storage/pending.h:
common/base/arena.h:
common/base/mem.h:
common/base/map.h:
common/base/str.h:
common/base/hash.h:
