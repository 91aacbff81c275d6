#include "common/loop/priority.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000 /* The shortest that EEVDF grants. */

struct sched_attributes { /* As in linux/sched/types.h, which clashes with sched.h. */
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

/* Kernels before 6.12 take the call and ignore the slice. */
static int set(int nice, uint64_t slice_ns)
{
    struct sched_attributes a = {
        .size = sizeof a, .policy = SCHED_OTHER, .nice = nice, .runtime = slice_ns};
    return syscall(SYS_sched_setattr, 0, &a, 0) == 0 ? 0 : -errno;
}

int priority_raise(int nice, struct err *err)
{
    int now = getpriority(PRIO_PROCESS, 0);
    int rv;
    (void)set(now, SLICE_NS);
    rv = nice == now ? 0 : set(nice, SLICE_NS);
    return rv == 0 ? 0 : err_set(err, ERR_DENIED, "nice %d: %s", nice, strerror(-rv));
}

void priority_lower_thread(void)
{
    (void)set(0, 0);
}
