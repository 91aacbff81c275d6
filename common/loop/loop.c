#include "common/loop/loop.h"

#include "common/loop/sysmem.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SIGNALS_MAX 8

struct loop_timer {
    uv_timer_t uv;
    loop_cb cb; /* NULL once closed. */
    void *data;
};

struct loop_soon {
    uv_idle_t uv; /* Idle handles run before the loop blocks, and keep it from blocking. */
    loop_cb cb;
    void *data;
};

struct loop_signal {
    loop_signal_cb cb;
    void *data;
    unsigned n_open;
    uv_signal_t uv[SIGNALS_MAX];
};

static void timer_fire(uv_timer_t *uv)
{
    struct loop_timer *t = uv->data;
    if (t->cb != NULL) {
        t->cb(t->data);
    }
}

struct loop_timer *loop_timer_open(uv_loop_t *loop, loop_cb cb, void *data)
{
    struct loop_timer *t = mem_alloc(sysmem(), sizeof *t);
    int rv = uv_timer_init(loop, &t->uv);
    assert(rv == 0);
    assert(cb != NULL);
    t->uv.data = t;
    t->cb = cb;
    t->data = data;
    return t;
}

void loop_timer_start(struct loop_timer *t, uint64_t delay_ms)
{
    loop_timer_repeat(t, delay_ms, 0);
}

void loop_timer_repeat(struct loop_timer *t, uint64_t delay_ms, uint64_t period_ms)
{
    int rv;
    assert(t->cb != NULL);
    uv_update_time(t->uv.loop); /* Otherwise a long turn would make the timer early. */
    rv = uv_timer_start(&t->uv, timer_fire, delay_ms, period_ms);
    assert(rv == 0);
}

void loop_timer_stop(struct loop_timer *t)
{
    (void)uv_timer_stop(&t->uv);
}

int loop_timer_active(const struct loop_timer *t)
{
    return uv_is_active((const uv_handle_t *)&t->uv);
}

static void timer_free(uv_handle_t *uv)
{
    mem_free(sysmem(), uv->data, sizeof(struct loop_timer));
}

void loop_timer_close(struct loop_timer *t)
{
    if (t == NULL) {
        return;
    }
    assert(t->cb != NULL);
    t->cb = NULL;
    uv_close((uv_handle_t *)&t->uv, timer_free);
}

static void soon_fire(uv_idle_t *uv)
{
    struct loop_soon *s = uv->data;
    (void)uv_idle_stop(uv);
    if (s->cb != NULL) {
        s->cb(s->data);
    }
}

struct loop_soon *loop_soon_open(uv_loop_t *loop, loop_cb cb, void *data)
{
    struct loop_soon *s = mem_alloc(sysmem(), sizeof *s);
    int rv = uv_idle_init(loop, &s->uv);
    assert(rv == 0);
    assert(cb != NULL);
    s->uv.data = s;
    s->cb = cb;
    s->data = data;
    return s;
}

void loop_soon_post(struct loop_soon *s)
{
    assert(s->cb != NULL);
    (void)uv_idle_start(&s->uv, soon_fire); /* Does nothing when it is active already. */
}

static void soon_free(uv_handle_t *uv)
{
    mem_free(sysmem(), uv->data, sizeof(struct loop_soon));
}

void loop_soon_close(struct loop_soon *s)
{
    if (s == NULL) {
        return;
    }
    assert(s->cb != NULL);
    s->cb = NULL;
    uv_close((uv_handle_t *)&s->uv, soon_free);
}

static void signal_fire(uv_signal_t *uv, int signum)
{
    struct loop_signal *s = uv->data;
    if (s->cb != NULL) {
        s->cb(signum, s->data);
    }
}

int loop_signal_open(uv_loop_t *loop, const int *signums, unsigned n, loop_signal_cb cb, void *data,
                     struct loop_signal **ret, struct err *err)
{
    struct loop_signal *s;
    assert(n > 0 && n <= SIGNALS_MAX);
    (void)signal(SIGPIPE, SIG_IGN);
    s = mem_alloc(sysmem(), sizeof *s);
    s->cb = cb;
    s->data = data;
    for (unsigned i = 0; i < n; i++) {
        int rv = uv_signal_init(loop, &s->uv[i]);
        assert(rv == 0);
        s->uv[i].data = s;
        s->n_open++;
        rv = uv_signal_start(&s->uv[i], signal_fire, signums[i]);
        if (rv != 0) {
            loop_signal_close(s);
            return err_set(err, ERR_IO, "signal %d: %s", signums[i], uv_strerror(rv));
        }
        uv_unref((uv_handle_t *)&s->uv[i]);
    }
    *ret = s;
    return 0;
}

static void signal_free(uv_handle_t *uv)
{
    struct loop_signal *s = uv->data;
    s->n_open--;
    if (s->n_open == 0) {
        mem_free(sysmem(), s, sizeof *s);
    }
}

void loop_signal_close(struct loop_signal *s)
{
    unsigned n;
    if (s == NULL) {
        return;
    }
    s->cb = NULL;
    n = s->n_open;
    for (unsigned i = 0; i < n; i++) {
        uv_close((uv_handle_t *)&s->uv[i], signal_free);
    }
}

static uint64_t clock_ms(clockid_t id)
{
    struct timespec ts;
    int rv = clock_gettime(id, &ts);
    assert(rv == 0);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

uint64_t clock_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

uint64_t loop_raise_nofile(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            return before;
        }
    }
    return limit.rlim_cur;
}

void loop_drain(uv_loop_t *loop)
{
    int rv;
    (void)uv_run(loop, UV_RUN_DEFAULT);
    rv = uv_loop_close(loop);
    assert(rv == 0); /* UV_EBUSY: a handle was never closed. */
}
