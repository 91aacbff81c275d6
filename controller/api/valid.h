/* controller/api/valid.h
 *
 * Checks that several operations share, and requests into the model's plain values. Each returns 0
 * or ERR_INVALID with c->error set; results live in the call's arena or point into the request. */
#ifndef CONTROLLER_API_VALID_H
#define CONTROLLER_API_VALID_H

#include "controller/api/call.h"
#include "controller/core/model.h"
#include "proto/ecs/v1/types.pb-c.h"

/* Tags as given: count, sizes, characters, no key twice, no reserved "aws:" prefix. */
int valid_tags(struct api_call *c, Ecs__V1__Tag *const *v, size_t n, struct tags *ret);

/* to's tags overridden and extended by those of more; at most LIMIT_TAGS together. */
int valid_tags_merge(struct api_call *c, const struct tags *a, const struct tags *b,
                     struct tags *ret);

/* Letters, digits, '-' and '_', at most 255. what: "Cluster name", ... */
int valid_name(struct api_call *c, const char *what, const char *text);

/* At most max bytes. */
int valid_length(struct api_call *c, const char *what, const char *text, size_t max);

int valid_constraints(struct api_call *c, Ecs__V1__PlacementConstraint *const *v, size_t n,
                      struct constraint **ret, uint32_t *ret_n);
int valid_strategies(struct api_call *c, Ecs__V1__PlacementStrategy *const *v, size_t n,
                     struct strategy **ret, uint32_t *ret_n);

/* A list that must have 1 to max members. */
int valid_count(struct api_call *c, const char *what, size_t n, size_t max);

/* Refuse a field that is set and not carried out yet: UnsupportedFeatureException naming it. */
int valid_unset(struct api_call *c, const char *field, bool set);

/* Launch types other than EC2 and EXTERNAL cannot be carried out. */
int valid_launch_type(struct api_call *c, bool has, int value, uint8_t *ret);

/* Hash of the request with its client token left out: what "the same request" means. */
uint64_t valid_request_hash(struct api_call *c, char **token_field);

#endif
