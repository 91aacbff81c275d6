/* tests/e2e/chaos/faultfs.c
 *
 * A library for LD_PRELOAD that makes a program's disk and clock fail as told by a control file
 * (environment ECS_FAULTS), which may change at any time. One rule a line, # for comments:
 *
 *   fail CALL ERRNO NTH [PATH]   the NTH matching call from now on fails ("3"), or all from it
 * ("3+") short CALL NTH [PATH]        likewise, but half of the bytes are written slow CALL MS
 * [PATH]          each takes so much longer clock SECONDS                the wall clock is off by
 * so much
 *
 * CALL is pwrite, fdatasync, fsync, rename or fallocate (of any flavour), or any. PATH is part of
 * the file's path. Each fault that was injected is a line in the file ECS_FAULTS.hits, so that a
 * run can show that it was not idle. The monotonic clocks are left alone: those of real machines do
 * not jump.
 *
 * Counting begins when the file changes (its time of modification or its size). Any thread. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX 16
#define CALL_LEN  16
#define PATH_LEN  256

enum verb { VERB_FAIL, VERB_SHORT, VERB_SLOW };

struct rule {
    enum verb verb;
    char call[CALL_LEN];
    char path[PATH_LEN]; /* "": any. */
    int error;
    long nth;
    bool onwards; /* Each from the nth on. */
    long ms;
    long n_seen;
};

static struct {
    pthread_mutex_t mutex;
    struct stat seen;
    struct rule rules[RULES_MAX];
    unsigned n_rules;
    long clock_s;
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* --- the control file ---------------------------------------------------------------------------
 */

static int error_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {
        {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR}, {"EROFS", EROFS}};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (strcmp(errors[i].name, name) == 0) {
            return errors[i].number;
        }
    }
    return EIO;
}

static void read_nth(struct rule *r, const char *text)
{
    char *end;
    r->nth = strtol(text, &end, 10);
    r->onwards = *end == '+';
}

static void read_line(const char *line)
{
    struct rule r = {0};
    char nth[16] = "1";
    char error[16];
    if (sscanf(line, "clock %ld", &state.clock_s) == 1 || state.n_rules == RULES_MAX) {
        return;
    }
    if (sscanf(line, "fail %15s %15s %15s %255s", r.call, error, nth, r.path) >= 3) {
        r.verb = VERB_FAIL;
        r.error = error_of(error);
    } else if (sscanf(line, "short %15s %15s %255s", r.call, nth, r.path) >= 2) {
        r.verb = VERB_SHORT;
    } else if (sscanf(line, "slow %15s %ld %255s", r.call, &r.ms, r.path) >= 2) {
        r.verb = VERB_SLOW;
        r.onwards = true;
    } else {
        return;
    }
    read_nth(&r, nth);
    state.rules[state.n_rules++] = r;
}

/* With the mutex held. */
static void refresh(void)
{
    const char *path = getenv("ECS_FAULTS");
    struct stat st;
    char line[512];
    FILE *f;
    if (path == NULL || stat(path, &st) != 0) {
        state.n_rules = 0;
        state.clock_s = 0;
        return;
    }
    if (st.st_mtim.tv_sec == state.seen.st_mtim.tv_sec &&
        st.st_mtim.tv_nsec == state.seen.st_mtim.tv_nsec && st.st_size == state.seen.st_size) {
        return;
    }
    state.seen = st;
    state.n_rules = 0;
    state.clock_s = 0;
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        read_line(line);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

/* --- deciding -----------------------------------------------------------------------------------
 */

struct verdict {
    int error; /* 0: go on. */
    bool half;
    long ms;
};

static void path_of(int fd, char path[PATH_LEN])
{
    char link[64];
    ssize_t n;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_LEN - 1);
    path[n < 0 ? 0 : n] = '\0';
}

static void note(const char *what, const char *call, const char *path)
{
    const char *control = getenv("ECS_FAULTS");
    char hits[PATH_LEN];
    char text[PATH_LEN + 64];
    int fd;
    (void)snprintf(text, sizeof text, "%s %s %s\n", what, call, path);
    (void)snprintf(hits, sizeof hits, "%s.hits", control);
    fd = open(hits, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        (void)close(fd);
    }
}

static void apply(struct rule *r, const char *call, const char *path, struct verdict *v)
{
    if ((strcmp(r->call, "any") != 0 && strcmp(r->call, call) != 0) ||
        strstr(path, r->path) == NULL) {
        return;
    }
    r->n_seen++;
    if (r->n_seen != r->nth && !(r->onwards && r->n_seen > r->nth)) {
        return;
    }
    switch (r->verb) {
    case VERB_FAIL:
        v->error = r->error;
        note("fail", call, path);
        break;
    case VERB_SHORT:
        v->half = true;
        note("short", call, path);
        break;
    case VERB_SLOW:
        v->ms += r->ms;
        note("slow", call, path);
        break;
    }
}

/* path NULL: that of fd. */
static struct verdict judge(const char *call, int fd, const char *path)
{
    struct verdict v = {0};
    char name[PATH_LEN];
    int saved = errno;
    (void)pthread_mutex_lock(&state.mutex);
    refresh();
    if (state.n_rules > 0) {
        if (path != NULL) {
            (void)snprintf(name, sizeof name, "%s", path);
        } else {
            path_of(fd, name);
        }
        for (unsigned i = 0; i < state.n_rules; i++) {
            apply(&state.rules[i], call, name, &v);
        }
    }
    (void)pthread_mutex_unlock(&state.mutex);
    if (v.ms > 0) {
        struct timespec t = {v.ms / 1000, v.ms % 1000 * 1000000};
        (void)nanosleep(&t, NULL);
    }
    errno = v.error != 0 ? v.error : saved;
    return v;
}

/* --- the calls ----------------------------------------------------------------------------------
 */

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    struct verdict v = judge("pwrite", fd, NULL);
    if (v.error != 0) {
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, v.half && n > 1 ? n / 2 : n, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t offset)
{
    return pwrite(fd, bytes, n, offset);
}

int fdatasync(int fd)
{
    return judge("fdatasync", fd, NULL).error != 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return judge("fsync", fd, NULL).error != 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    return judge("rename", -1, from).error != 0 ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return judge("rename", -1, from).error != 0
               ? -1
               : (int)syscall(SYS_renameat, from_fd, from, to_fd, to);
}

/* Answers with the error's number. */
int posix_fallocate(int fd, off_t offset, off_t n)
{
    struct verdict v = judge("fallocate", fd, NULL);
    if (v.error != 0) {
        return v.error;
    }
    return syscall(SYS_fallocate, fd, 0, offset, n) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off_t offset, off_t n)
{
    return posix_fallocate(fd, offset, n);
}

/* --- the clock ----------------------------------------------------------------------------------
 */

static long clock_offset(void)
{
    long offset;
    int saved = errno;
    (void)pthread_mutex_lock(&state.mutex);
    refresh();
    offset = state.clock_s;
    (void)pthread_mutex_unlock(&state.mutex);
    errno = saved;
    return offset;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int rv = (int)syscall(SYS_clock_gettime, clock, ret);
    if (rv == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        ret->tv_sec += clock_offset();
    }
    return rv;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    int rv = (int)syscall(SYS_gettimeofday, ret, zone);
    if (rv == 0) {
        ret->tv_sec += clock_offset();
    }
    return rv;
}

time_t time(time_t *ret)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL) {
        *ret = now.tv_sec;
    }
    return now.tv_sec;
}
