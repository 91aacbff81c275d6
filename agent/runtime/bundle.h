/* agent/runtime/bundle.h
 *
 * From a container's specification to an OCI bundle: config.json and the small files of /etc. What
 * containers may do is decided here: capabilities, system calls, masked paths, limits. Blocking
 * (file writes); any thread. */
#ifndef AGENT_RUNTIME_BUNDLE_H
#define AGENT_RUNTIME_BUNDLE_H

#include "agent/image/image.h"
#include "agent/runtime/runtime.h"
#include "agent/runtime/user.h"

#include <jansson.h>

struct bundle { /* Everything borrowed. */
    const struct runtime *rt;
    const struct task_spec *task;
    const struct container_spec *spec;
    const struct image *image;
    const struct user *user;
    const struct spec_pair *extra; /* Environment on top. */
    uint32_t n_extra;
    const char *dir;               /* The container's directory, absolute. */
    uint32_t ip;                   /* Host byte order; 0: none of its own. */
    uint32_t uid_base;             /* Its root on the node; 0: no user namespace. */
    const struct spec_host *links; /* Resolved links, for /etc/hosts. */
    uint32_t n_links;
};

/* Is this something we agree to run? Names the field and the rule if not. */
int bundle_check(const struct runtime *rt, const struct task_spec *task,
                 const struct container_spec *spec, struct err *err);

/* config.json as a value; NULL with *err filled. The caller's. */
json_t *bundle_config(const struct bundle *b, struct err *err);

/* Write config.json, hosts, hostname and resolv.conf into dir, and make what mounts need. */
int bundle_write(const struct bundle *b, struct err *err);

/* Where a volume of the task is on the node. */
int bundle_volume(const struct runtime *rt, const struct task_spec *task, const char *name,
                  char ret[PATH_MAX], struct err *err);

/* --- parts, for bundle.c (private)
 * ---------------------------------------------------------------- */

json_t *bundle_process(const struct bundle *b, struct err *err);
json_t *bundle_mounts(const struct bundle *b, struct err *err);
int bundle_etc(const struct bundle *b, struct err *err);

#endif
