/* common/loop/sysmem.h
 *
 * The heap behind `struct mem` for programs: malloc() that ends the process when memory runs out,
 * as mem.h demands. Any thread. */
#ifndef COMMON_LOOP_SYSMEM_H
#define COMMON_LOOP_SYSMEM_H

#include "common/base/mem.h"

/* Always the same object; it needs no release. */
const struct mem *sysmem(void);

#endif
