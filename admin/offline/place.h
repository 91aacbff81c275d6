/* admin/offline/place.h
 *
 * Where a stopped (or copied) controller's files are, from what the command line says. */
#ifndef ADMIN_OFFLINE_PLACE_H
#define ADMIN_OFFLINE_PLACE_H

#include "common/base/err.h"

#include <stddef.h>

#define PLACE_PATH_MAX 4096

/* The folder with the log: DIR/log of a data directory, or DIR itself when it is one. */
int place_log(const char *dir, char ret[PLACE_PATH_MAX], struct err *err);

/* The checkpoint: DIR/state/checkpoint.db, DIR/checkpoint.db, or the file itself. */
int place_checkpoint(const char *path, char ret[PLACE_PATH_MAX], struct err *err);

#endif
