/* Timers, soon callbacks and signals: what runs, when, and never after close. */
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct probe {
    uv_loop_t loop;
    struct loop_timer *timer;
    struct loop_soon *soon;
    struct loop_signal *sig;
    unsigned n_timer;
    unsigned n_soon;
    unsigned n_signal;
};

static void setup(struct probe *p)
{
    memset(p, 0, sizeof *p);
    ck_assert_int_eq(uv_loop_init(&p->loop), 0);
}

static void on_timer_close_self(void *data)
{
    struct probe *p = data;
    p->n_timer++;
    loop_timer_close(p->timer);
}

START_TEST(a_timer_fires_once_not_early_and_may_close_itself)
    {
        struct probe p;
        uint64_t began = clock_mono_ms();
        setup(&p);
        p.timer = loop_timer_open(&p.loop, on_timer_close_self, &p);
        ck_assert(!loop_timer_active(p.timer));
        loop_timer_start(p.timer, 20);
        ck_assert(loop_timer_active(p.timer));
        loop_drain(&p.loop);
        ck_assert_uint_eq(p.n_timer, 1);
        ck_assert_uint_ge(clock_mono_ms() - began + 1, 20);
    }
END_TEST

static void on_tick(void *data)
{
    struct probe *p = data;
    p->n_timer++;
    if (p->n_timer == 3) {
        loop_timer_close(p->timer);
    }
}

START_TEST(a_repeating_timer_repeats_until_closed)
    {
        struct probe p;
        setup(&p);
        p.timer = loop_timer_open(&p.loop, on_tick, &p);
        loop_timer_repeat(p.timer, 0, 1);
        loop_drain(&p.loop);
        ck_assert_uint_eq(p.n_timer, 3);
    }
END_TEST

START_TEST(nothing_runs_after_close)
    {
        struct probe p;
        setup(&p);
        p.timer = loop_timer_open(&p.loop, on_tick, &p);
        p.soon = loop_soon_open(&p.loop, on_tick, &p);
        loop_timer_start(p.timer, 0);
        loop_soon_post(p.soon);
        loop_timer_close(p.timer);
        loop_soon_close(p.soon);
        loop_timer_close(NULL);
        loop_soon_close(NULL);
        loop_signal_close(NULL);
        loop_drain(&p.loop);
        ck_assert_uint_eq(p.n_timer, 0);
    }
END_TEST

static void on_soon(void *data)
{
    struct probe *p = data;
    p->n_soon++;
    if (p->n_soon < 3) {
        loop_soon_post(p->soon);
        loop_soon_post(p->soon);
    } else {
        loop_soon_close(p->soon);
    }
}

START_TEST(soon_runs_once_per_post_and_can_post_itself)
    {
        struct probe p;
        setup(&p);
        p.soon = loop_soon_open(&p.loop, on_soon, &p);
        loop_soon_post(p.soon);
        ck_assert_uint_eq(p.n_soon, 0);
        loop_drain(&p.loop);
        ck_assert_uint_eq(p.n_soon, 3);
    }
END_TEST

static void on_signal(int signum, void *data)
{
    struct probe *p = data;
    ck_assert_int_eq(signum, SIGUSR1);
    p->n_signal++;
    loop_signal_close(p->sig);
    loop_timer_close(p->timer);
}

START_TEST(a_signal_reaches_the_loop)
    {
        static const int signums[] = {SIGTERM, SIGUSR1};
        struct probe p;
        struct err err;
        setup(&p);
        ck_assert_int_eq(loop_signal_open(&p.loop, signums, 2, on_signal, &p, &p.sig, &err), 0);
        p.timer = loop_timer_open(&p.loop, on_tick, &p);
        loop_timer_start(p.timer, 5000);
        ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
        loop_drain(&p.loop);
        ck_assert_uint_eq(p.n_signal, 1);
    }
END_TEST

START_TEST(a_bad_signal_is_an_error_that_leaks_nothing)
    {
        static const int signums[] = {SIGTERM, SIGKILL};
        struct probe p;
        struct err err;
        setup(&p);
        ck_assert_int_eq(loop_signal_open(&p.loop, signums, 2, on_signal, &p, &p.sig, &err),
                         ERR_IO);
        loop_drain(&p.loop);
    }
END_TEST

START_TEST(the_heap_keeps_the_promises_of_mem)
    {
        char *p = mem_alloc(sysmem(), 100);
        for (int i = 0; i < 100; i++) {
            ck_assert_int_eq(p[i], 0);
        }
        memset(p, 'x', 100);
        p = mem_resize(sysmem(), p, 100, 200);
        ck_assert_int_eq(p[99], 'x');
        ck_assert_int_eq(p[100], 0);
        mem_free(sysmem(), p, 200);
        ck_assert_uint_gt(loop_raise_nofile(), 0);
        ck_assert_uint_gt(clock_wall_ms(), 1700000000000ull);
        ck_assert_uint_gt(clock_boot_ms(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("loop");
    TEST_CASE(s, "loop", 30, a_timer_fires_once_not_early_and_may_close_itself,
              a_repeating_timer_repeats_until_closed, nothing_runs_after_close,
              soon_runs_once_per_post_and_can_post_itself, a_signal_reaches_the_loop,
              a_bad_signal_is_an_error_that_leaks_nothing, the_heap_keeps_the_promises_of_mem);
    return test_run(s);
}
