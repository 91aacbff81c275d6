/* controller/storage/load.h
 *
 * From the tables of a checkpoint to a store. Internal to storage. */
#ifndef CONTROLLER_STORAGE_LOAD_H
#define CONTROLLER_STORAGE_LOAD_H

#include "controller/codec/object.h"
#include "controller/core/store.h"

#include <sqlite3.h>

/* Every row into the freshly opened store, in one read transaction, which is left open; compares
 * revision and digest with the point. */
int load_store(sqlite3 *sql, const struct codec *codec, struct store *store, const struct mem *mem,
               struct err *err);

#endif
