#include "agent/shim/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ESCAPE_MAX 6 /* \u00XX */
#define FRAME_MAX  128
_Static_assert(ESCAPE_MAX *SHIM_LINE_MAX + FRAME_MAX <= LOG_OUT_MAX, "one record always fits");

void shim_log_init(struct shim_log *l, uint64_t max_size, unsigned max_files)
{
    l->max_size = max_size;
    l->max_files = max_files == 0 ? 1 : max_files;
    l->fd = -1;
}

static void file_name(char *ret, size_t size, unsigned i)
{
    if (i == 0) {
        snprintf(ret, size, "%s", SHIM_FILE_LOG);
    } else {
        snprintf(ret, size, "%s.%u", SHIM_FILE_LOG, i);
    }
}

/* log.json becomes .1, .1 becomes .2, and the oldest goes. */
static void rotate(struct shim_log *l)
{
    char from[32];
    char to[32];
    close(l->fd);
    l->fd = -1;
    for (unsigned i = l->max_files - 1; i > 0; i--) {
        file_name(from, sizeof from, i - 1);
        file_name(to, sizeof to, i);
        rename(from, to);
    }
    if (l->max_files == 1) {
        unlink(SHIM_FILE_LOG);
    }
}

static bool open_file(struct shim_log *l)
{
    struct stat st;
    l->fd = open(SHIM_FILE_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (l->fd < 0) {
        return false;
    }
    l->size = fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return true;
}

void shim_log_flush(struct shim_log *l)
{
    size_t done = 0;
    if (l->n_out == 0) {
        return;
    }
    if (l->fd >= 0 && l->size > 0 && l->size + l->n_out > l->max_size) {
        rotate(l);
    }
    if (l->fd >= 0 || open_file(l)) {
        while (done < l->n_out) {
            ssize_t n = write(l->fd, l->out + done, l->n_out - done);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                break;
            }
            done += (size_t)n;
        }
    }
    if (done < l->n_out) { /* Disk full, most likely. Cut off half a record and go on. */
        l->n_lost += l->n_out_lines;
        if (l->fd >= 0 && done > 0 && ftruncate(l->fd, (off_t)l->size) != 0) {
            close(l->fd);
            l->fd = -1;
        }
    } else {
        l->size += done;
    }
    l->n_out = 0;
    l->n_out_lines = 0;
}

/* Length of the UTF-8 sequence at p, or 0 when it is none (RFC 3629). */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] > 0xf4 || len == 0 || len > n) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return len;
}

/* One character (or one bad byte) as JSON; the bytes taken. to has ESCAPE_MAX bytes. */
static size_t escape(const unsigned char *p, size_t n, char *to, size_t *ret_n)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = utf8_len(p, n);
    if (len == 0) {
        memcpy(to, "\xef\xbf\xbd", 3);
        *ret_n = 3;
        return 1;
    }
    if (p[0] == '"' || p[0] == '\\') {
        to[0] = '\\';
        to[1] = (char)p[0];
        *ret_n = 2;
        return 1;
    }
    if (p[0] < 0x20) {
        memcpy(to, "\\u00", 4);
        to[4] = hex[p[0] >> 4];
        to[5] = hex[p[0] & 15];
        *ret_n = 6;
        return 1;
    }
    memcpy(to, p, len);
    *ret_n = len;
    return len;
}

static void out_put(struct shim_log *l, const char *text)
{
    size_t n = strlen(text);
    memcpy(l->out + l->n_out, text, n);
    l->n_out += n;
}

static void record(struct shim_log *l, struct log_stream *s, bool newline)
{
    char frame[FRAME_MAX];
    struct timespec now;
    struct tm tm;
    size_t i = 0;
    if (l->n_out + ESCAPE_MAX * s->n + FRAME_MAX > sizeof l->out) {
        shim_log_flush(l);
    }
    out_put(l, "{\"log\":\"");
    while (i < s->n) {
        size_t n;
        i += escape((const unsigned char *)s->line + i, s->n - i, l->out + l->n_out, &n);
        l->n_out += n;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    snprintf(frame, sizeof frame,
             "%s\",\"stream\":\"%s\",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ\"}\n",
             newline ? "\\n" : "", s->name, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec);
    out_put(l, frame);
    l->n_out_lines++;
    s->n = 0;
}

void shim_log_put(struct shim_log *l, struct log_stream *s, const char *bytes, size_t n)
{
    if (l->max_size == 0) {
        return;
    }
    while (n > 0) {
        const char *end = memchr(bytes, '\n', n);
        size_t len = end == NULL ? n : (size_t)(end - bytes);
        size_t room = sizeof s->line - s->n;
        bool cut = len > room;
        size_t take = cut ? room : len;
        memcpy(s->line + s->n, bytes, take);
        s->n += take;
        bytes += take;
        n -= take;
        if (cut) {
            record(l, s, false);
        } else if (end != NULL) {
            record(l, s, true);
            bytes++;
            n--;
        }
    }
}

void shim_log_end(struct shim_log *l, struct log_stream *s)
{
    if (s->n > 0) {
        record(l, s, false);
    }
}
