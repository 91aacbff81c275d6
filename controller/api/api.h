/* controller/api/api.h
 *
 * What all calls share: the engine, the naming of resources, the table of operations, the counters
 * and the channels to the leader. Loop thread only. */
#ifndef CONTROLLER_API_API_H
#define CONTROLLER_API_API_H

#include "common/base/mem.h"
#include "common/net/tls.h"
#include "controller/api/backend.h"
#include "controller/api/call.h"
#include "controller/codec/arn.h"
#include "controller/engine/engine.h"

#include <stdint.h>
#include <uv.h>

struct api; /* Opaque. */

struct api_options {
    const struct mem *mem;
    struct engine *engine;
    const char *account; /* 12 digits. Copied, as the next. */
    const char *region;
    struct tls_context *tls; /* For calls to other controllers; NULL: plain, for tests. Borrowed. */
    const struct api_backend *backend; /* Borrowed; NULL: nothing behind the admin service. */
};

/* Everything is borrowed until api_close(). */
int api_open(uv_loop_t *loop, const struct api_options *options, struct api **ret, struct err *err);

/* Calls still open are dropped without an answer; their owners must be gone. The engine must still
 * be there; it may answer what it holds later, which is when the memory goes. NULL is fine. */
void api_close(struct api *api);

/* Refuse what is new from now on, as when stopping. */
void api_drain(struct api *api);

/* --- for the modules of this folder -------------------------------------------------------------
 */

uv_loop_t *api_loop(const struct api *api);
struct engine *api_engine(const struct api *api);
const struct mem *api_mem(const struct api *api);
const struct arn_names *api_names(const struct api *api);
const struct api_backend *api_backend(const struct api *api); /* Never NULL. */
uint64_t api_uptime_ms(const struct api *api);

/* All operations of a service by name or NULL; service is "ecs.v1.EcsService" or another of the
 * table. */
const struct api_op *api_find(const struct api *api, struct str service, struct str name);

/* The operation behind a gRPC path ("/ecs.v1.EcsService/RunTask") or NULL. */
const struct api_op *api_find_path(const struct api *api, struct str path);

/* Counters of one operation, for /metrics. */
#define API_LATENCY_BUCKETS 14

struct api_op_stats {
    uint64_t n[API_CODE_N];
    uint64_t bucket[API_LATENCY_BUCKETS + 1]; /* The last: everything slower. */
    uint64_t sum_us;
};

/* Upper bounds in microseconds. */
extern const uint32_t api_latency_bounds_us[API_LATENCY_BUCKETS];

uint32_t api_n_ops(const struct api *api);
const struct api_op *api_op_at(const struct api *api, uint32_t index);
const struct api_op_stats *api_op_stats(const struct api *api, uint32_t index);
uint32_t api_n_calls(const struct api *api); /* Under way. */

#endif
