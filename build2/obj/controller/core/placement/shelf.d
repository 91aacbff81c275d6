build2/obj/controller/core/placement/shelf.o: \
 controller/core/placement/shelf.c controller/core/placement/shelf.h \
 common/base/id.h common/base/str.h common/base/mem.h
controller/core/placement/shelf.h:
common/base/id.h:
common/base/str.h:
common/base/mem.h:
