/* common/loop/loop.h
 *
 * What libuv leaves to its users: timers and "soon" callbacks that can be closed without waiting,
 * clocks by name, a signal watcher for graceful stop, descriptor limits.
 *
 * uv_close() answers later, so an owner of raw handles can only die in stages. The handles here
 * are allocated on their own: after x_close() the callback never runs again, the owner may free
 * itself at once, and the memory goes back when libuv is done. Loop thread only. */
#ifndef COMMON_LOOP_LOOP_H
#define COMMON_LOOP_LOOP_H

#include "common/base/err.h"

#include <stdint.h>
#include <uv.h>

typedef void (*loop_cb)(void *data);

/* --- timers ------------------------------------------------------------------------------------
 */
struct loop_timer; /* Opaque. */

/* A timer that is not running yet. data is handed to cb. Does not keep the loop alive while
 * stopped. */
struct loop_timer *loop_timer_open(uv_loop_t *loop, loop_cb cb, void *data);

/* Fire once, at least delay_ms from now; starting again moves the deadline. */
void loop_timer_start(struct loop_timer *t, uint64_t delay_ms);

/* Fire every period_ms, first after delay_ms. */
void loop_timer_repeat(struct loop_timer *t, uint64_t delay_ms, uint64_t period_ms);

void loop_timer_stop(struct loop_timer *t);
int loop_timer_active(const struct loop_timer *t);

/* The callback never runs after this. NULL is fine. Allowed inside the callback. */
void loop_timer_close(struct loop_timer *t);

/* --- soon: once more from the loop, in this turn or the next, without blocking in between --------
 */
struct loop_soon; /* Opaque. */

struct loop_soon *loop_soon_open(uv_loop_t *loop, loop_cb cb, void *data);

/* Have cb run once. Posting again before it ran changes nothing. */
void loop_soon_post(struct loop_soon *s);

/* The callback never runs after this. NULL is fine. Allowed inside the callback. */
void loop_soon_close(struct loop_soon *s);

/* --- signals -------------------------------------------------------------------------------------
 */
struct loop_signal; /* Opaque. */
typedef void (*loop_signal_cb)(int signum, void *data);

/* Call cb from the loop each time the process gets one of the n signals. SIGPIPE is ignored from
 * the first call on. The watcher does not keep the loop alive. */
int loop_signal_open(uv_loop_t *loop, const int *signums, unsigned n, loop_signal_cb cb, void *data,
                     struct loop_signal **ret, struct err *err);
void loop_signal_close(struct loop_signal *s); /* NULL is fine. */

/* --- clocks and limits
 * ----------------------------------------------------------------------------- */
uint64_t clock_mono_ms(void); /* Stops in suspend; for timeouts inside one process. */
uint64_t clock_boot_ms(void); /* Counts suspend too; for leases. */
uint64_t clock_wall_ms(void); /* Since 1970; may jump; for people and certificates. */

/* Raise the soft limit of open files to the hard one and return it. */
uint64_t loop_raise_nofile(void);

/* Run the loop until every closed handle is gone, then close it. For the end of main(): asserts
 * that nothing was forgotten. */
void loop_drain(uv_loop_t *loop);

#endif
