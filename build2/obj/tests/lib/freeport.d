build2/obj/tests/lib/freeport.o: tests/lib/freeport.c tests/lib/freeport.h
tests/lib/freeport.h:
