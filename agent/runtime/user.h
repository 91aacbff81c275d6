/* agent/runtime/user.h
 *
 * "user[:group]" of a specification or image, by name or number, looked up in the image's own
 * /etc/passwd and /etc/group, which are read without following links out of the layer they are
 * in. Blocking; any thread. */
#ifndef AGENT_RUNTIME_USER_H
#define AGENT_RUNTIME_USER_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdint.h>

#define USER_GROUPS_MAX 32
#define USER_HOME_MAX   256

struct user {
    uint32_t uid;
    uint32_t gid;
    uint32_t groups[USER_GROUPS_MAX]; /* Supplementary. */
    uint32_t n_groups;
    char home[USER_HOME_MAX]; /* "/" when unknown. */
};

/* layers: the directory that holds the directories of lower ("top:...:bottom"). text "" is root. */
int user_resolve(const char *layers, const char *lower, const char *text, struct user *ret,
                 struct err *err);

/* The pure half: passwd and group are the files' content. */
int user_lookup(struct str passwd, struct str group, struct str text, struct user *ret,
                struct err *err);

#endif
