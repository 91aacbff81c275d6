build2/obj/tests/lib/report.o: tests/lib/report.c tests/lib/report.h
tests/lib/report.h:
