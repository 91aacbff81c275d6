/* The program's own malloc() is found before the C library's, by every library too. The real one
 * goes by another name: glibc's, or that of the sanitizer. */
#include "tests/lib/fail_alloc.h"

#include "tests/lib/test.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define leaks() __lsan_do_recoverable_leak_check()
#else
#define leaks() 0
#endif

#define EXIT_SUCCEEDED 0
#define EXIT_ERROR     3
#define EXIT_LEAK      4
#define MESSAGE        "out of memory"
#define OUTPUT_MAX     4096

extern void *REAL(malloc)(size_t size);
extern void *REAL(calloc)(size_t n, size_t size);
extern void *REAL(realloc)(void *ptr, size_t size);

static __thread bool counting;
static __thread unsigned long fail_at;
static __thread unsigned long counted;

/* Called before the sanitizer is ready. */
#define EARLY __attribute__((no_sanitize("thread")))

EARLY static bool fails(void)
{
    if (!counting) {
        return false;
    }
    counted++;
    if (counted != fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

EARLY void *malloc(size_t size)
{
    return fails() ? NULL : REAL(malloc)(size);
}

EARLY void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : REAL(calloc)(n, size);
}

EARLY void *realloc(void *ptr, size_t size)
{
    return size > 0 && fails() ? NULL : REAL(realloc)(ptr, size);
}

void fail_alloc_at(unsigned long n)
{
    counted = 0;
    fail_at = n;
    counting = true;
}

unsigned long fail_alloc_stop(void)
{
    counting = false;
    return counted;
}

/* --- torture -------------------------------------------------------------------------------------
 */

struct outcome {
    int status; /* Of waitpid(). */
    unsigned long counted;
    char output[OUTPUT_MAX]; /* What was written to stderr. */
};

static _Noreturn void child(fail_alloc_op op, void *arg, unsigned long n, int fd, int count_fd)
{
    struct rlimit none = {0, 0};
    unsigned long total;
    int error = 0;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)dup2(fd, STDERR_FILENO);
    (void)signal(SIGABRT, SIG_DFL);
    total = op(arg, n, &error);
    if (write(count_fd, &total, sizeof total) != (ssize_t)sizeof total) {
        _exit(1);
    }
    if (leaks() != 0) {
        _exit(EXIT_LEAK);
    }
    _exit(error ? EXIT_ERROR : EXIT_SUCCEEDED);
}

static void run(fail_alloc_op op, void *arg, unsigned long n, struct outcome *ret)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC);
    int count_fd = memfd_create("count", MFD_CLOEXEC);
    ssize_t got;
    pid_t pid;
    ck_assert(fd >= 0 && count_fd >= 0);
    memset(ret, 0, sizeof *ret);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        child(op, arg, n, fd, count_fd);
    }
    ck_assert_int_eq(waitpid(pid, &ret->status, 0), pid);
    got = pread(fd, ret->output, sizeof ret->output - 1, 0);
    ck_assert_int_ge(got, 0);
    got = pread(count_fd, &ret->counted, sizeof ret->counted, 0);
    ck_assert_int_ge(got, 0);
    close(fd);
    close(count_fd);
}

static void count(struct fail_alloc_report *r, const char *name, unsigned long n,
                  const struct outcome *o)
{
    bool ended = WIFEXITED(o->status);
    int code = ended ? WEXITSTATUS(o->status) : -WTERMSIG(o->status);
    if (ended && code == EXIT_SUCCEEDED) {
        r->n_successes++;
    } else if (ended && code == EXIT_ERROR) {
        r->n_errors++;
    } else if (code == -SIGABRT && strstr(o->output, MESSAGE) != NULL) {
        r->n_aborts++;
    } else {
        ck_abort_msg("%s: allocation %lu of %lu fails: ended with %d%s\n%s", name, n,
                     r->n_allocations, code, code == EXIT_LEAK ? " (leak)" : "", o->output);
    }
}

struct fail_alloc_report fail_alloc_torture(const char *name, fail_alloc_op op, void *arg,
                                            unsigned runs)
{
    struct fail_alloc_report r = {0};
    struct outcome o;
    const char *more = getenv("FAIL_ALLOC_RUNS");
    unsigned long step;
    runs = more != NULL ? (unsigned)strtoul(more, NULL, 10) : runs;
    ck_assert_uint_gt(runs, 0);
    run(op, arg, 0, &o);
    ck_assert_msg(WIFEXITED(o.status) && WEXITSTATUS(o.status) == EXIT_SUCCEEDED,
                  "%s: fails although nothing does: status %x\n%s", name, (unsigned)o.status,
                  o.output);
    ck_assert_msg(o.counted > 0, "%s: allocates nothing", name);
    r.n_allocations = o.counted;
    step = r.n_allocations / runs + 1;
    for (unsigned long n = 1; n <= r.n_allocations; n += step) {
        run(op, arg, n, &o);
        count(&r, name, n, &o);
    }
    printf("%-28s %6lu allocations: %u errors, %u aborts, %u successes\n", name, r.n_allocations,
           r.n_errors, r.n_aborts, r.n_successes);
    return r;
}
