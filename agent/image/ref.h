/* agent/image/ref.h
 *
 * Image references: "[host[:port]/]path[:tag][@sha256:digest]". Pure. */
#ifndef AGENT_IMAGE_REF_H
#define AGENT_IMAGE_REF_H

#include "common/base/err.h"
#include "common/base/str.h"

#define REF_MAX 512

struct ref {         /* Parts of the text given; "" when absent. */
    struct str host; /* With its port. Absent: Docker Hub. */
    struct str path;
    struct str tag;
    struct str digest;
};

/* ERR_INVALID names the rule that text breaks. */
int ref_parse(struct str text, struct ref *ret, struct err *err);

/* Is host this machine or link-local, by name or address? Such registries must be configured: a
 * reference comes from a user and must not reach what only the node can. */
bool ref_host_is_local(struct str host);

#endif
