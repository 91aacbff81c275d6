/* tests/lib/freeport.h
 *
 * A port of 127.0.0.1 that nobody listens on now, below the range that connections get theirs
 * from. */
#ifndef TESTS_LIB_FREEPORT_H
#define TESTS_LIB_FREEPORT_H

#include <stdint.h>

uint16_t freeport(void);

#endif
