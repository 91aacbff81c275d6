build2/obj/controller/core/placement/portset.o: \
 controller/core/placement/portset.c controller/core/placement/portset.h \
 common/base/mem.h
controller/core/placement/portset.h:
common/base/mem.h:
