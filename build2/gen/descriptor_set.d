build2/gen/descriptor_set.o: build2/gen/descriptor_set.c
