build2/obj/admin/offline/place.o: admin/offline/place.c \
 admin/offline/place.h common/base/err.h
admin/offline/place.h:
common/base/err.h:
