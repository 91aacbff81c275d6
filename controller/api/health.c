#include "controller/api/health.h"

#include "common/loop/loop.h"
#include "controller/api/grpc_front.h"
#include "controller/api/operation.h"
#include "controller/codec/pbc.h"
#include "proto/grpc/health/v1/health.pb-c.h"

#include <string.h>

#define HEALTH_METHODS  2
#define HEALTH_CHECK_MS 500 /* A follower is not told when its leader goes silent. */

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

struct health_service {
    struct api *api;
    struct grpc_method methods[HEALTH_METHODS];
    struct list watchers;
    struct loop_timer *timer; /* Runs while there are watchers. */
    bool stopping;
};

struct watcher {
    struct list link;
    struct health_service *health;
    struct grpc_call *call;
    bool begun;
    Grpc__Health__V1__HealthCheckResponse__ServingStatus last;
    bool known;
};

bool health_service_serving(const struct health_service *h)
{
    struct engine *e = api_engine(h->api);
    return !h->stopping && (engine_is_leader(e) || engine_leader_address(e)[0] != '\0');
}

static bool service_known(struct str name)
{
    return name.n == 0 || str_eqc(name, API_ECS_SERVICE) || str_eqc(name, API_ADMIN_SERVICE) ||
           str_eqc(name, "grpc.health.v1.Health");
}

static Grpc__Health__V1__HealthCheckResponse__ServingStatus status_now(
    const struct health_service *h)
{
    return health_service_serving(h) ? STATUS(SERVING) : STATUS(NOT_SERVING);
}

static int read_service(struct health_service *h, struct str message, bool *ret_known)
{
    Grpc__Health__V1__HealthCheckRequest *r;
    ProtobufCMessage *m;
    struct arena arena;
    int rv;
    arena_init(&arena, api_mem(h->api));
    rv = pbc_unpack(&grpc__health__v1__health_check_request__descriptor, message, &arena, &m, NULL);
    if (rv == 0) {
        r = (Grpc__Health__V1__HealthCheckRequest *)m;
        *ret_known = service_known(str_of(r->service));
    }
    arena_close(&arena);
    return rv;
}

static struct str pack_status(struct arena *arena,
                              Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    Grpc__Health__V1__HealthCheckResponse *r =
        pbc_new(&grpc__health__v1__health_check_response__descriptor, arena);
    r->status = status;
    return pbc_pack_arena(&r->base, arena);
}

static int send_status(struct health_service *h, struct grpc_call *c,
                       Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
    struct arena arena;
    int rv;
    arena_init(&arena, api_mem(h->api));
    rv = grpc_call_send(c, pack_status(&arena, status));
    arena_close(&arena);
    return rv;
}

/* --- Check -------------------------------------------------------------------------------------
 */

static void check_message(struct grpc_call *c, struct str message)
{
    struct health_service *h = grpc_call_data(c);
    bool known;
    if (!grpc_front_allow(c, api_mem(h->api), ACCESS_PUBLIC)) {
        return;
    }
    if (read_service(h, message, &known) != 0) {
        grpc_call_fail(c, GRPC_INVALID_ARGUMENT, "not a HealthCheckRequest");
        return;
    }
    if (!known) {
        grpc_call_fail(c, GRPC_NOT_FOUND, "unknown service");
        return;
    }
    if (send_status(h, c, status_now(h)) == 0) {
        grpc_call_finish(c, GRPC_OK, NULL, STR(""));
    }
}

/* --- Watch -------------------------------------------------------------------------------------
 */

static void tell(struct watcher *w)
{
    Grpc__Health__V1__HealthCheckResponse__ServingStatus now =
        w->known ? status_now(w->health) : STATUS(SERVICE_UNKNOWN);
    if ((w->begun && now == w->last) || !grpc_call_writable(w->call)) {
        return;
    }
    if (send_status(w->health, w->call, now) == 0) {
        w->begun = true;
        w->last = now;
    }
}

static void tell_all(void *data)
{
    struct health_service *h = data;
    struct list *it;
    struct list *after;
    list_each_safe (it, after, &h->watchers) {
        tell(container_of(it, struct watcher, link));
    }
}

static void watch_start(struct grpc_call *c)
{
    struct health_service *h = grpc_call_data(c);
    struct watcher *w = mem_alloc(api_mem(h->api), sizeof *w);
    w->health = h;
    w->call = c;
    list_init(&w->link);
    grpc_call_set_data(c, w);
}

static void watch_message(struct grpc_call *c, struct str message)
{
    struct watcher *w = grpc_call_data(c);
    struct health_service *h = w->health;
    if (!grpc_front_allow(c, api_mem(h->api), ACCESS_PUBLIC)) {
        return;
    }
    if (read_service(h, message, &w->known) != 0) {
        grpc_call_fail(c, GRPC_INVALID_ARGUMENT, "not a HealthCheckRequest");
        return;
    }
    list_push(&h->watchers, &w->link);
    if (!loop_timer_active(h->timer)) {
        loop_timer_repeat(h->timer, HEALTH_CHECK_MS, HEALTH_CHECK_MS);
    }
    tell(w);
}

static void watch_close(struct grpc_call *c, int status)
{
    struct watcher *w = grpc_call_data(c);
    struct health_service *h = w->health;
    (void)status;
    list_remove(&w->link);
    mem_free(api_mem(h->api), w, sizeof *w);
    if (list_empty(&h->watchers)) {
        loop_timer_stop(h->timer);
    }
}

/* --- life --------------------------------------------------------------------------------------
 */

int health_service_open(struct api *api, struct grpc_server *a, struct grpc_server *b,
                        struct health_service **ret, struct err *err)
{
    int rv;
    struct health_service *h = mem_alloc(api_mem(api), sizeof *h);
    h->api = api;
    list_init(&h->watchers);
    h->timer = loop_timer_open(api_loop(api), tell_all, h);
    h->methods[0] = (struct grpc_method){
        .path = "/grpc.health.v1.Health/Check",
        .kind = GRPC_UNARY,
        .on_message = check_message,
        .data = h,
    };
    h->methods[1] = (struct grpc_method){
        .path = "/grpc.health.v1.Health/Watch",
        .kind = GRPC_SERVER_STREAM,
        .on_start = watch_start,
        .on_message = watch_message,
        .on_close = watch_close,
        .data = h,
    };
    rv = grpc_server_add(a, h->methods, HEALTH_METHODS, err);
    if (rv == 0 && b != NULL) {
        rv = grpc_server_add(b, h->methods, HEALTH_METHODS, err);
    }
    if (rv != 0) {
        health_service_close(h);
        return rv;
    }
    *ret = h;
    return 0;
}

void health_service_close(struct health_service *h)
{
    if (h == NULL) {
        return;
    }
    loop_timer_close(h->timer);
    mem_free(api_mem(h->api), h, sizeof *h);
}

void health_service_stop(struct health_service *h)
{
    h->stopping = true;
    tell_all(h);
}
