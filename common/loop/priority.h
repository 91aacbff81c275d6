/* common/loop/priority.h
 *
 * How soon this process runs when others want the processor too. A controller does little work at
 * a time but is waited for by all: it asks for short slices (Linux 6.12 and later) and a better
 * nice value, so that a busy machine does not look like a dead leader. Call before threads are
 * made; they inherit both. */
#ifndef COMMON_LOOP_PRIORITY_H
#define COMMON_LOOP_PRIORITY_H

#include "common/base/err.h"

/* Short slices, where the kernel has them, and this nice value (-20 to 19). ERR_DENIED when the
 * nice value is refused: the slices are set nevertheless. */
int priority_raise(int nice, struct err *err);

/* The calling thread alone goes back to nice 0: for bulk work that nobody waits for. */
void priority_lower_thread(void);

#endif
