build2/obj/controller/core/placement/place_scale.o: \
 controller/core/placement/place_scale.c \
 controller/core/placement/place_impl.h controller/core/placement/place.h \
 common/base/arena.h common/base/mem.h common/base/buf.h \
 common/base/err.h controller/core/placement/view.h common/base/id.h \
 common/base/str.h controller/core/placement/query.h \
 controller/core/placement/view_impl.h common/base/map.h \
 controller/core/placement/portset.h controller/core/placement/shelf.h
controller/core/placement/place_impl.h:
controller/core/placement/place.h:
common/base/arena.h:
common/base/mem.h:
common/base/buf.h:
common/base/err.h:
controller/core/placement/view.h:
common/base/id.h:
common/base/str.h:
controller/core/placement/query.h:
controller/core/placement/view_impl.h:
common/base/map.h:
controller/core/placement/portset.h:
controller/core/placement/shelf.h:
