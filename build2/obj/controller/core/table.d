build2/obj/controller/core/table.o: controller/core/table.c \
 controller/core/table.h common/base/mem.h
controller/core/table.h:
common/base/mem.h:
