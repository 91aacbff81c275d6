/* Reading logs that may be rotated meanwhile: files are opened first, newest last, so a rotation
 * moves names but not what we read. "The last n" takes two passes, since memory for n lines is
 * not ours to take. */
#include "agent/runtime/container.h"
#include "agent/shim/protocol.h"
#include "common/base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX  64
#define RECORD_MAX (6 * SHIM_LINE_MAX + 256)
#define TIME_KEY   "\"time\":\""
#define TIME_TEXT  80 /* As the compiler counts, for any int. */
#define TIME_LEN   23 /* 2026-01-02T03:04:05.123: to the millisecond. */

struct reader {
    const struct exec_log *r;
    char since[TIME_TEXT]; /* In the records' own format, which sorts as text. */
    uint64_t n_match;
    uint64_t n_skip; /* Matching lines to pass over. */
    bool collect;
    bool cut;
    size_t n;
    char record[RECORD_MAX];
};

static void format_time(uint64_t ms, char ret[TIME_TEXT])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(ret, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03u", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(ms % 1000));
}

/* The time is the last field, so it is searched from the end. */
static bool is_since(const struct reader *d)
{
    const size_t tail = strlen(TIME_KEY) + strlen("2026-01-02T03:04:05.123456789Z\"}");
    const char *at;
    if (d->since[0] == '\0') {
        return true;
    }
    if (d->n < tail) {
        return false;
    }
    at = d->record + d->n - tail;
    return strncmp(at, TIME_KEY, strlen(TIME_KEY)) == 0 &&
           strncmp(at + strlen(TIME_KEY), d->since, TIME_LEN) >= 0;
}

static void take(struct reader *d)
{
    if (!is_since(d)) {
        return;
    }
    d->n_match++;
    if (!d->collect || d->n_match <= d->n_skip || d->cut) {
        return;
    }
    if (buf_reserve(d->r->lines, d->n + 1) == NULL) {
        d->r->lines->overflow = false; /* Said by d->cut; what is there ends at a line's end. */
        d->cut = true;
        return;
    }
    buf_put(d->r->lines, d->record, d->n);
    buf_put_u8(d->r->lines, '\n');
}

static void feed(struct reader *d, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            take(d);
            d->n = 0;
        } else if (d->n < sizeof d->record) {
            d->record[d->n++] = bytes[i];
        }
    }
}

static int read_file(struct reader *d, int fd, struct err *err)
{
    char chunk[16384];
    ssize_t n;
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return err_set(err, ERR_IO, "log: %s", strerror(errno));
    }
    d->n = 0; /* A record cut short by a full disk has no end. */
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        feed(d, chunk, (size_t)n);
    }
    return n == 0 ? 0 : err_set(err, ERR_IO, "log: %s", strerror(errno));
}

/* log.json, log.json.1, ...: the number opened. */
static int open_files(const char *dir, int fds[FILES_MAX])
{
    int n = 0;
    while (n < FILES_MAX) {
        char path[PATH_MAX];
        int len = n == 0 ? snprintf(path, sizeof path, "%s/" SHIM_FILE_LOG, dir)
                         : snprintf(path, sizeof path, "%s/" SHIM_FILE_LOG ".%d", dir, n);
        if (len >= PATH_MAX) {
            break;
        }
        fds[n] = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fds[n] < 0) {
            break;
        }
        n++;
    }
    return n;
}

static int read_all(struct reader *d, const int *fds, int n, struct err *err)
{
    int rv = 0;
    d->n_match = 0;
    for (int i = n - 1; i >= 0 && rv == 0; i--) {
        rv = read_file(d, fds[i], err);
    }
    return rv;
}

int container_log(const struct runtime *rt, const struct exec_log *r, bool *ret_cut,
                  struct err *err)
{
    char dir[PATH_MAX];
    int fds[FILES_MAX];
    struct reader d;
    int n;
    int rv = container_dir(rt, r->key, dir, err);
    if (rv != 0) {
        return rv;
    }
    if (access(dir, F_OK) != 0) {
        return err_set(err, ERR_NOTFOUND, "no container %s of this task", r->key.name);
    }
    memset(&d, 0, sizeof d);
    d.r = r;
    if (r->since_ms > 0) {
        format_time(r->since_ms, d.since);
    }
    n = open_files(dir, fds);
    if (r->tail > 0) {
        rv = read_all(&d, fds, n, err);
        d.n_skip = d.n_match > r->tail ? d.n_match - r->tail : 0;
    }
    if (rv == 0) {
        d.collect = true;
        rv = read_all(&d, fds, n, err);
    }
    for (int i = 0; i < n; i++) {
        close(fds[i]);
    }
    *ret_cut = d.cut;
    return rv;
}
