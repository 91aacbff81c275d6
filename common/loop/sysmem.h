/* common/loop/sysmem.h
 *
 * The heap behind `struct mem` for programs: malloc() that ends the process when memory runs out,
 * as mem.h demands. Any thread. */
#ifndef COMMON_LOOP_SYSMEM_H
#define COMMON_LOOP_SYSMEM_H

#include "common/base/mem.h"

/* Always the same object; it needs no release. */
const struct mem *sysmem(void);

/* For programs whose loop must not stand still: what was freed stays with the process. Otherwise
 * free() gives the end of the heap back in one go when it happens to become free, which takes 0.1
 * to 0.4 s with 400 MB. To be called first. */
void sysmem_keep(void);

#endif
