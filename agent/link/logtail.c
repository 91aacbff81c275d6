/* Rotation renames PATH to PATH.1 and so on while we read. So files are known by their inode and
 * stay open once found: looking from the newest to the oldest, a file seen twice was renamed in
 * between, and one that is the newest we already have ends the search. */
#include "agent/link/logtail.h"

#include "common/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SCAN_BYTES 16384

void logtail_init(struct logtail *t, int64_t since_ms, uint32_t tail)
{
    memset(t, 0, sizeof *t);
    t->since_ms = since_ms;
    t->tail = tail;
}

void logtail_close(struct logtail *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        (void)close(t->fds[i]);
    }
    t->n = 0;
}

static bool same_file(int fd, const struct stat *st)
{
    struct stat have;
    return fstat(fd, &have) == 0 && have.st_ino == st->st_ino && have.st_dev == st->st_dev;
}

static int open_one(const char *path, unsigned i, struct stat *st, struct err *err)
{
    char name[PATH_MAX + 16];
    int fd;
    (void)snprintf(name, sizeof name, i == 0 ? "%s" : "%s.%u", path, i);
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        return ERR_NOTFOUND;
    }
    if (fd < 0 || fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
        int error = fd < 0 ? errno : EINVAL;
        if (fd >= 0) {
            (void)close(fd);
        }
        return err_set(err, ERR_IO, "%s: %s", name, strerror(error));
    }
    return fd;
}

/* Open what is newer than the newest file we have and put it behind it. */
static int find_files(struct logtail *t, struct err *err)
{
    int found[LOGTAIL_FILES]; /* Newest first. */
    unsigned n = 0;
    for (unsigned i = 0; n + t->n < LOGTAIL_FILES; i++) {
        struct stat st = {0};
        int fd = open_one(t->path, i, &st, err);
        if (fd == ERR_NOTFOUND && i == 0) {
            continue; /* Renamed, and the next one is not there yet. */
        }
        if (fd == ERR_NOTFOUND) {
            break;
        }
        if (fd < 0) {
            while (n > 0) {
                n--;
                (void)close(found[n]);
            }
            return fd;
        }
        if (t->n > 0 && same_file(t->fds[t->n - 1], &st)) {
            (void)close(fd);
            break;
        }
        if (n > 0 && same_file(found[n - 1], &st)) { /* Renamed as we looked. */
            (void)close(fd);
            continue;
        }
        found[n] = fd;
        n++;
    }
    while (n > 0) {
        n--;
        t->fds[t->n] = found[n];
        t->n++;
    }
    return 0;
}

static void drop_oldest(struct logtail *t)
{
    (void)close(t->fds[0]);
    memmove(t->fds, t->fds + 1, (t->n - 1) * sizeof t->fds[0]);
    t->n--;
    t->at = 0;
}

/* --- where to begin -----------------------------------------------------------------------------
 */

/* Go back from the end of the file until *lines line ends are behind; *ret is where the line after
 * the last of them begins, 0 when there are not as many. */
static int scan_back(int fd, uint32_t *lines, off_t *ret, struct err *err)
{
    char block[SCAN_BYTES];
    off_t end = lseek(fd, 0, SEEK_END);
    off_t last = end;
    while (end > 0) {
        off_t from = end > SCAN_BYTES ? end - SCAN_BYTES : 0;
        ssize_t n = pread(fd, block, (size_t)(end - from), from);
        if (n < end - from) {
            return err_set(err, ERR_IO, "log: %s", n < 0 ? strerror(errno) : "file shrank");
        }
        for (off_t i = n - 1; i >= 0; i--) {
            if (block[i] != '\n' || from + i + 1 == last) {
                continue; /* The very last line end closes a line; it does not open one. */
            }
            if (*lines == 1) {
                *lines = 0;
                *ret = from + i + 1;
                return 0;
            }
            (*lines)--;
        }
        end = from;
    }
    if (last > 0) {
        (*lines)--; /* The first line has no line end before it. */
    }
    *ret = 0;
    return 0;
}

static int skip_to_tail(struct logtail *t, struct err *err)
{
    uint32_t left = t->tail;
    unsigned first = t->n;
    off_t at = 0;
    while (first > 0 && left > 0) {
        int rv;
        first--;
        rv = scan_back(t->fds[first], &left, &at, err);
        if (rv != 0) {
            return rv;
        }
    }
    while (first > 0) {
        drop_oldest(t);
        first--;
    }
    t->at = at;
    return 0;
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* Days from 1970 to the first of a month, by the proleptic Gregorian calendar. */
static int64_t days_to(int64_t year, int64_t month)
{
    int64_t y = month > 2 ? year : year - 1; /* The year begins in March. */
    int64_t m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 - 719468;
}

static bool digits(const char *p, int n, int64_t *ret)
{
    *ret = 0;
    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        *ret = *ret * 10 + (p[i] - '0');
    }
    return true;
}

int64_t logtail_time(const char *p, size_t n)
{
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t ms = 0;
    if (n < 20 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':' ||
        !digits(p, 4, &year) || !digits(p + 5, 2, &month) || !digits(p + 8, 2, &day) ||
        !digits(p + 11, 2, &hour) || !digits(p + 14, 2, &minute) || !digits(p + 17, 2, &second)) {
        return -1;
    }
    for (int64_t i = 20, unit = 100; p[19] == '.' && i < (int64_t)n && unit > 0; i++, unit /= 10) {
        if (p[i] < '0' || p[i] > '9') {
            break;
        }
        ms += (p[i] - '0') * unit;
    }
    return (((days_to(year, month) + day - 1) * 24 + hour) * 60 + minute) * 60000 + second * 1000 +
           ms;
}

/* The time of a line is its last field. */
static bool line_is_old(const struct logtail *t, const char *line, size_t n)
{
    static const char key[] = "\"time\":\"";
    for (size_t i = n; i >= sizeof key; i--) {
        const char *p = line + i - (sizeof key - 1);
        if (memcmp(p, key, sizeof key - 1) == 0) {
            int64_t at = logtail_time(line + i, n - i);
            return at >= 0 && at < t->since_ms;
        }
    }
    return false;
}

/* Lines come in the order of their times: once one is new enough, so are all after it. */
static size_t drop_old_lines(struct logtail *t, char *to, size_t n)
{
    size_t from = 0;
    while (!t->since_met && from < n) {
        const char *end = memchr(to + from, '\n', n - from);
        size_t len = (size_t)(end - (to + from)) + 1;
        if (line_is_old(t, to + from, len)) {
            from += len;
        } else {
            t->since_met = true;
        }
    }
    memmove(to, to + from, n - from);
    return n - from;
}

/* Whole lines of the oldest file. 0: its end. */
static int read_lines(struct logtail *t, char *to, size_t size, size_t *ret_n, struct err *err)
{
    ssize_t n = pread(t->fds[0], to, size, t->at);
    if (n < 0) {
        return err_set(err, ERR_IO, "log: %s", strerror(errno));
    }
    while (n > 0 && to[n - 1] != '\n') {
        n--;
    }
    t->at += n;
    *ret_n = (size_t)n;
    return 0;
}

static int begin(struct logtail *t, struct err *err)
{
    int rv = find_files(t, err);
    if (rv == 0 && t->n > 0) {
        t->begun = true;
        rv = t->tail > 0 ? skip_to_tail(t, err) : 0;
    }
    return rv;
}

int logtail_read(struct logtail *t, char *to, size_t size, size_t *ret_n, struct err *err)
{
    int rv = t->begun ? 0 : begin(t, err);
    bool looked = false;
    *ret_n = 0;
    while (rv == 0 && t->n > 0) {
        size_t n = 0;
        rv = read_lines(t, to, size, &n, err);
        if (rv != 0) {
            break;
        }
        if (n > 0) {
            *ret_n = t->since_ms > 0 ? drop_old_lines(t, to, n) : n;
            if (*ret_n > 0) {
                break;
            }
        } else if (t->n > 1) {
            drop_oldest(t);
        } else if (!looked) {
            looked = true; /* Rotated away? Then read its end once more, and go on with the next. */
            rv = find_files(t, err);
        } else {
            break;
        }
    }
    return rv;
}
