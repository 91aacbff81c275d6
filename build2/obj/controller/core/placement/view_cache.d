build2/obj/controller/core/placement/view_cache.o: \
 controller/core/placement/view_cache.c common/base/hash.h \
 controller/core/placement/view_impl.h common/base/map.h \
 common/base/mem.h controller/core/placement/portset.h \
 controller/core/placement/shelf.h common/base/id.h common/base/str.h \
 controller/core/placement/view.h common/base/err.h \
 controller/core/placement/query.h common/base/buf.h
common/base/hash.h:
controller/core/placement/view_impl.h:
common/base/map.h:
common/base/mem.h:
controller/core/placement/portset.h:
controller/core/placement/shelf.h:
common/base/id.h:
common/base/str.h:
controller/core/placement/view.h:
common/base/err.h:
controller/core/placement/query.h:
common/base/buf.h:
