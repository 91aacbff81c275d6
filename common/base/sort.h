/* common/base/sort.h
 *
 * A stable merge sort of numbers, which are usually indexes of something larger: the pure layers
 * call no qsort(), whose order of equals is nobody's promise. Pure. */
#ifndef COMMON_BASE_SORT_H
#define COMMON_BASE_SORT_H

#include <stdbool.h>
#include <stdint.h>

/* Does a come before b? */
typedef bool (*sort_before)(const void *ctx, uint32_t a, uint32_t b);

/* Sort v[0 .. n); scratch has room for n. */
void sort_u32(uint32_t *v, uint32_t n, uint32_t *scratch, sort_before before, const void *ctx);

#endif
