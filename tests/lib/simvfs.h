/* tests/lib/simvfs.h
 *
 * SQLite on the simulated disk: what it writes is torn, lost or refused as simdisk is told to, so
 * that every crash point of a database can be enumerated. One connection at a time. */
#ifndef TESTS_LIB_SIMVFS_H
#define TESTS_LIB_SIMVFS_H

#include "tests/sim/simdisk.h"

/* Make the disk the place of every database opened from here on, whatever folder its path says.
 * disk is borrowed until the next call; NULL: real files again. */
void simvfs_use(struct simdisk *disk);

#endif
