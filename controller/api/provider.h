/* controller/api/provider.h
 *
 * Capacity providers as requests name them, and strategies of them, checked by ECS's rules. The
 * functions return 0 or ERR_INVALID with c->error set; results live in the call's arena or point
 * into the request. */
#ifndef CONTROLLER_API_PROVIDER_H
#define CONTROLLER_API_PROVIDER_H

#include "controller/api/call.h"
#include "controller/core/model.h"
#include "proto/ecs/v1/capacity_provider.pb-c.h"
#include "proto/ecs/v1/types.pb-c.h"

/* Refuse while some controller does not know of capacity providers. */
int provider_level(struct api_call *c);

/* The name in a name or ARN; the provider need not exist. */
int provider_name(struct api_call *c, const char *text, struct str *ret);

/* A list of ACTIVE ones, each named once. */
int provider_names(struct api_call *c, char *const *v, size_t n, struct provider_name **ret,
                   uint32_t *ret_n);

/* A strategy by itself: count, base, weights. field: "capacityProviderStrategy", ... */
int provider_shares(struct api_call *c, const char *field,
                    Ecs__V1__CapacityProviderStrategyItem *const *v, size_t n,
                    struct provider_share **ret, uint32_t *ret_n);

/* Every provider of the strategy is one of these. */
int provider_associated(struct api_call *c, const struct provider_share *shares, uint32_t n_shares,
                        const struct provider_name *names, uint32_t n_names);

/* What a request asks for: its strategy, or without one and without a launch type the default of
 * the cluster. */
int provider_choose(struct api_call *c, uint32_t cluster, bool has_launch_type,
                    Ecs__V1__CapacityProviderStrategyItem *const *v, size_t n,
                    struct provider_share **ret, uint32_t *ret_n);

/* A strategy as answers show it. */
Ecs__V1__CapacityProviderStrategyItem **provider_items(struct api_call *c,
                                                       const struct provider_share *shares,
                                                       uint32_t n, size_t *ret_n);

/* The provider a node belongs to, NULL for none. */
char *provider_of_node(struct api_call *c, const struct node *node);

/* The stored specification, and back. NULL with c->error set when it cannot be read. */
Ecs__V1__CapacityProvider *provider_spec_read(struct api_call *c, struct str spec);
int provider_spec_write(struct api_call *c, const Ecs__V1__CapacityProvider *m, struct str *ret);

Ecs__V1__CapacityProvider *describe_provider(struct api_call *c, uint32_t slot, bool tags);

#endif
