/* admin/offline/target.h
 *
 * The data directory of a controller, made from a state: what restore and recover end in. Made
 * under another name and put in place with one rename, so that what carries the name is whole.
 * Blocking. */
#ifndef ADMIN_OFFLINE_TARGET_H
#define ADMIN_OFFLINE_TARGET_H

#include "common/base/err.h"
#include "controller/codec/object.h"
#include "controller/core/store.h"
#include "controller/raft/conf.h"
#include "controller/storage/checkpoint.h"

#include <stdint.h>

#define TARGET_LINE_MAX 4096

struct target_members {
    struct conf_member v[CONF_MEMBERS_MAX];
    unsigned n;
    char addresses[CONF_MEMBERS_MAX][CONF_ADDRESS_MAX];
};

/* "ID=PEER/API,...", as ecs-controller takes it. ERR_INVALID names what is wrong. */
int target_members_read(const char *text, struct target_members *ret, struct err *err);

/* Begin an epoch: jump ahead of everything the lost part of the old log may have given out. The
 * same arguments make the same state on every machine. fence: client tokens that are not known are
 * refused until an operator says otherwise. at: where the state was in the old log; on
 * return, where the new log begins. ERR_CONFLICT: the epoch is not above the present one. */
int target_begin_epoch(struct store *store, uint64_t epoch, bool fence, struct storage_point *at,
                       struct err *err);

/* What an operator must know of the fence: printed after the directory is made. */
#define TARGET_FENCE_ADVICE                                                                        \
    "requests with client tokens that are not known will be refused: they may have been answered " \
    "before; when all is well, 'ecs-admin raft unfence'"

#define TARGET_FENCE_OPTION                                                                     \
    {                                                                                           \
        "no-fence", NULL, "Carry out requests with client tokens that are not known, at once.", \
            false                                                                               \
    }

/* What was renamed to this path stays so without power as well. ERR_IO. */
int target_sync_parent(const char *path, struct err *err);

/* Write dir, which must not be there. alone: the other members have no directories yet, so only
 * this one votes, and they are spares until they are promoted. */
int target_write(const char *dir, uint64_t id, const struct target_members *members, bool alone,
                 const struct codec *codec, const struct store *store,
                 const struct storage_point *at, struct err *err);

#endif
