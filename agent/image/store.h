/* agent/image/store.h
 *
 * The blocking half of agent/image: one pull from beginning to end, the records, the garbage
 * collection. Any thread, but only one collection at a time and none while pulls run. Private to
 * agent/image. */
#ifndef AGENT_IMAGE_STORE_H
#define AGENT_IMAGE_STORE_H

#include "agent/image/image.h"

#include <stdatomic.h>

struct store_pull {
    const struct images_options *options;
    const char *reference;
    const char *username; /* NULL: anonymous. */
    const char *password;
    enum exec_pull_policy policy;
    const atomic_bool *canceled;
    uint64_t number; /* Unique in this process: names temporary files. */
};

struct store_result {
    struct exec_image image;
    uint64_t size;
    bool from_cache;
};

/* Make the directories and remove what a crash left behind. */
int store_open(const char *dir, struct err *err);

int store_pull(const struct store_pull *p, struct store_result *ret, struct err *err);

int store_gc(const char *dir, const char *const *keep, uint32_t n_keep, uint64_t min_age_ms,
             struct err *err);

#endif
