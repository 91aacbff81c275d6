#include "controller/api/door.h"

#include "controller/api/aws.h"
#include "controller/api/forward_server.h"
#include "controller/api/grpc_front.h"
#include "controller/api/health.h"
#include "controller/api/metrics.h"
#include "controller/api/reflection.h"
#include "controller/api/stream.h"

#include <assert.h>
#include <string.h>

struct door {
    struct api *api;
    struct door_options options;
    struct http_server *tls;
    struct http_server *insecure;
    struct grpc_server *grpc_tls; /* Has the registered methods and forwarding as well. */
    struct grpc_server *grpc_insecure;
    struct grpc_front front;
    struct stream_methods streams;
    struct grpc_method forward;
    struct health_service *health;
    struct reflection *reflection;
    /* Stopping. */
    loop_cb stop_cb;
    void *stop_data;
    unsigned n_stopping;
};

struct principal door_caller(const struct http_call *call)
{
    return http_call_is_tls(call) ? principal_of_peer(http_call_peer(call))
                                  : principal_of_insecure();
}

/* --- GET ---------------------------------------------------------------------------------------
 */

static void nothing_on_close(struct http_call *c, int status)
{
    (void)c;
    (void)status;
}

static const struct http_call_events short_events = {.on_close = nothing_on_close};

static void respond_metrics(struct door *d, struct http_call *c)
{
    const struct http_field fields[] = {
        {STR("content-type"), STR("text/plain; version=0.0.4; charset=utf-8")}};
    struct buf b;
    buf_init(&b, api_mem(d->api), METRICS_MAX);
    metrics_write(d->api, &b);
    if (d->options.metrics != NULL) {
        d->options.metrics(d->options.metrics_data, &b);
    }
    http_call_respond(c, 200, fields, 1, str_make((const char *)b.data, b.len));
    buf_close(&b);
}

static void respond_health(struct door *d, struct http_call *c)
{
    if (!health_service_serving(d->health)) {
        http_call_respond_text(c, 503, "no leader");
    } else if (engine_is_leader(api_engine(d->api))) {
        http_call_respond_text(c, 200, "ok leader");
    } else {
        http_call_respond_text(c, 200, "ok");
    }
}

static void on_get(struct door *d, struct http_call *c)
{
    struct principal caller = door_caller(c);
    struct err err = {0};
    http_call_accept(c, &short_events, d);
    if (principal_check(&caller, ACCESS_PUBLIC, &err) != 0) {
        http_call_respond_text(c, 401, "a client certificate of this cluster is required");
    } else if (str_eqc(http_call_path(c), "/healthz")) {
        respond_health(d, c);
    } else if (str_eqc(http_call_path(c), "/metrics")) {
        respond_metrics(d, c);
    } else {
        http_call_respond_text(c, 404, "not found");
    }
}

/* --- who answers -------------------------------------------------------------------------------
 */

static void on_call(struct http_call *c, void *data)
{
    struct door *d = data;
    if (grpc_is_call(c)) {
        grpc_server_handle(http_call_is_tls(c) ? d->grpc_tls : d->grpc_insecure, c);
    } else if (aws_is_call(c)) {
        aws_handle(d->api, c);
    } else if (str_eqc(http_call_method(c), "GET")) {
        on_get(d, c);
    } else {
        http_call_accept(c, &short_events, d);
        http_call_respond_text(c, 404, "not found");
    }
}

/* --- opening -----------------------------------------------------------------------------------
 */

static int open_grpc(struct door *d, struct err *err)
{
    int rv;
    d->grpc_tls = grpc_server_open(api_loop(d->api), 0);
    d->grpc_insecure = grpc_server_open(api_loop(d->api), 0);
    grpc_front_init(&d->front, d->api);
    grpc_server_set_fallback(d->grpc_tls, grpc_front_find, &d->front);
    grpc_server_set_fallback(d->grpc_insecure, grpc_front_find, &d->front);
    stream_methods_init(&d->streams, d->api);
    forward_server_method(d->api, &d->forward);
    rv = grpc_server_add(d->grpc_tls, &d->forward, 1, err);
    if (rv == 0) {
        rv = grpc_server_add(d->grpc_tls, d->streams.v, STREAM_METHODS, err);
    }
    if (rv == 0) {
        rv = grpc_server_add(d->grpc_insecure, d->streams.v, STREAM_METHODS, err);
    }
    if (rv == 0) {
        rv = health_service_open(d->api, d->grpc_tls, d->grpc_insecure, &d->health, err);
    }
    if (rv == 0) {
        rv = reflection_open(d->api, d->grpc_tls, d->grpc_insecure, &d->reflection, err);
    }
    return rv;
}

static int listen_on(struct door *d, const struct http_options *options, struct http_server **ret,
                     struct err *err)
{
    int rv;
    if (addr_is_none(&options->addr)) {
        return 0;
    }
    rv = http_server_open(api_loop(d->api), options, on_call, d, ret, err);
    return rv == 0 ? 0 : err_wrap(err, rv, "front door");
}

static int listen_on_both(struct door *d, struct err *err)
{
    const struct door_options *o = &d->options;
    const struct http_options tls = {.addr = o->tls_addr,
                                     .tls = o->tls,
                                     .max_connections = o->max_connections,
                                     .max_per_ip = o->max_per_address,
                                     .body_max = API_MESSAGE_MAX};
    const struct http_options insecure = {.addr = o->insecure_addr, .body_max = API_MESSAGE_MAX};
    int rv = listen_on(d, &tls, &d->tls, err);
    return rv == 0 ? listen_on(d, &insecure, &d->insecure, err) : rv;
}

int door_open(struct api *api, const struct door_options *options, struct door **ret,
              struct err *err)
{
    struct door *d;
    int rv;
    if (addr_is_none(&options->tls_addr) && addr_is_none(&options->insecure_addr)) {
        return err_set(err, ERR_INVALID, "front door: no address to listen on");
    }
    assert(addr_is_none(&options->tls_addr) || options->tls != NULL);
    d = mem_alloc(api_mem(api), sizeof *d);
    d->api = api;
    d->options = *options;
    rv = open_grpc(d, err);
    if (rv == 0) {
        rv = listen_on_both(d, err);
    }
    if (rv != 0) {
        door_close(d);
        return rv;
    }
    *ret = d;
    return 0;
}

int door_register_grpc(struct door *d, const struct grpc_method *methods, size_t n, struct err *err)
{
    return grpc_server_add(d->grpc_tls, methods, n, err);
}

const struct addr *door_tls_addr(const struct door *d)
{
    return d->tls == NULL ? NULL : http_server_addr(d->tls);
}

const struct addr *door_insecure_addr(const struct door *d)
{
    return d->insecure == NULL ? NULL : http_server_addr(d->insecure);
}

/* --- closing -----------------------------------------------------------------------------------
 */

static void on_stopped(void *data)
{
    struct door *d = data;
    assert(d->n_stopping > 0);
    d->n_stopping--;
    if (d->n_stopping == 0 && d->stop_cb != NULL) {
        d->stop_cb(d->stop_data);
    }
}

void door_stop(struct door *d, unsigned timeout_ms, loop_cb cb, void *data)
{
    d->stop_cb = cb;
    d->stop_data = data;
    d->n_stopping = (d->tls != NULL ? 1u : 0u) + (d->insecure != NULL ? 1u : 0u);
    api_drain(d->api);
    health_service_stop(d->health);
    if (d->tls != NULL) {
        http_server_stop(d->tls, timeout_ms, on_stopped, d);
    }
    if (d->insecure != NULL) {
        http_server_stop(d->insecure, timeout_ms, on_stopped, d);
    }
}

void door_close(struct door *d)
{
    if (d == NULL) {
        return;
    }
    http_server_close(d->tls);
    http_server_close(d->insecure);
    health_service_close(d->health);
    reflection_close(d->reflection);
    grpc_server_close(d->grpc_tls);
    grpc_server_close(d->grpc_insecure);
    mem_free(api_mem(d->api), d, sizeof *d);
}
