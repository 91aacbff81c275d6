/* Each event is formatted on the caller's stack and leaves in one write(), so neither lines nor
 * threads mix and there is no queue to lose in a crash. The ring holds whole lines in a byte
 * array; its start moves past whole lines as new ones need the room. */
#include "common/log/log.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CUT_TAIL_MAX 16 /* Room for the mark of a cut line and its end. */

struct sink {
    struct log_options options;
    pthread_mutex_t lock; /* Over the ring. */
    size_t ring_start;
    size_t ring_len;
    const char *crash_path;
    char ring[LOG_RING_MAX];
};

/* The sanctioned exception: see the header. */
static struct sink sink = {
    .options = {.level = LOG_LEVEL_INFO, .json = false, .fd = STDERR_FILENO},
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* --- one line ------------------------------------------------------------------------------------
 */
struct line {
    size_t len;
    bool cut;       /* The last put did not fit. */
    bool shortened; /* A value lost its end. */
    char text[LOG_LINE_MAX];
};

static void line_put(struct line *l, const char *bytes, size_t n)
{
    size_t room = sizeof l->text - CUT_TAIL_MAX - l->len;
    if (l->cut || n > room) {
        l->cut = true;
        return;
    }
    memcpy(l->text + l->len, bytes, n);
    l->len += n;
}

static void line_puts(struct line *l, const char *text)
{
    line_put(l, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void line_printf(struct line *l, const char *fmt, ...)
{
    char small[96];
    va_list args;
    int n;
    va_start(args, fmt);
    n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof small);
    line_put(l, small, (size_t)n);
}

/* Valid in JSON and readable in logfmt: control bytes, quotes and backslashes are escaped, and
 * bytes that are not UTF-8 become the replacement character. A value that does not fit keeps its
 * beginning. */
static void line_quoted(struct line *l, struct str s)
{
    bool utf8 = str_is_utf8(s);
    line_put(l, "\"", 1);
    for (size_t i = 0; i < s.n && !l->cut; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (sizeof l->text - CUT_TAIL_MAX - l->len < 8) {
            l->shortened = true; /* Leave room for the closing quote. */
            break;
        }
        if (c == '"' || c == '\\') {
            line_printf(l, "\\%c", c);
        } else if (c == '\n') {
            line_puts(l, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            line_printf(l, "\\u%04x", c);
        } else if (c >= 0x80 && !utf8) {
            line_puts(l, "\\ufffd");
        } else {
            line_put(l, (const char *)&s.p[i], 1);
        }
    }
    line_put(l, "\"", 1);
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return s.n > 0;
}

static void line_str(struct line *l, struct str s, bool json)
{
    if (!json && is_plain(s) && s.n < LOG_LINE_MAX / 2) {
        line_put(l, s.p, s.n);
        return;
    }
    line_quoted(l, s);
}

static void line_field(struct line *l, const struct log_field *f, bool json)
{
    char hex[ID_HEX_LEN + 1];
    line_puts(l, json ? ",\"" : " ");
    line_puts(l, f->key);
    line_puts(l, json ? "\":" : "=");
    switch (f->type) {
    case LOG_END:
        break;
    case LOG_U64:
        line_printf(l, "%" PRIu64, f->v.u64);
        break;
    case LOG_I64:
        line_printf(l, "%" PRId64, f->v.i64);
        break;
    case LOG_BOOL:
        line_puts(l, f->v.b ? "true" : "false");
        break;
    case LOG_STR:
        line_str(l, f->v.str, json);
        break;
    case LOG_ID:
        id_hex(f->v.id, hex);
        line_str(l, str_of(hex), json);
        break;
    }
}

static void line_time(struct line *l)
{
    struct timespec now;
    struct tm tm;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    line_printf(l, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

static void line_build(struct line *l, const struct log_options *o, enum log_level level,
                       const char *event, const struct log_field *fields)
{
    l->len = 0;
    l->cut = false;
    l->shortened = false;
    line_puts(l, o->json ? "{\"time\":\"" : "");
    line_time(l);
    line_puts(l, o->json ? "\",\"level\":\"" : " ");
    line_puts(l, level_names[level]);
    if (o->program != NULL) {
        line_puts(l, o->json ? "\",\"program\":\"" : " ");
        line_puts(l, o->program);
    }
    line_puts(l, o->json ? "\",\"event\":\"" : " ");
    line_puts(l, event);
    line_puts(l, o->json ? "\"" : "");
    for (const struct log_field *f = fields; f->type != LOG_END; f++) {
        size_t before = l->len;
        line_field(l, f, o->json);
        if (l->cut) {
            l->len = before; /* Half a field would not parse. */
            break;
        }
    }
    if (l->cut || l->shortened) {
        const char *mark = o->json ? ",\"cut\":true" : " cut=true";
        memcpy(l->text + l->len, mark, strlen(mark));
        l->len += strlen(mark);
    }
    if (o->json) {
        l->text[l->len++] = '}';
    }
    l->text[l->len++] = '\n';
    assert(l->len <= sizeof l->text);
}

/* --- the ring
 * ------------------------------------------------------------------------------------- */

static void ring_drop_line(void)
{
    while (sink.ring_len > 0) {
        char c = sink.ring[sink.ring_start];
        sink.ring_start = (sink.ring_start + 1) % LOG_RING_MAX;
        sink.ring_len--;
        if (c == '\n') {
            return;
        }
    }
}

static void ring_put(const char *bytes, size_t n)
{
    size_t at;
    size_t first;
    while (LOG_RING_MAX - sink.ring_len < n) {
        ring_drop_line();
    }
    at = (sink.ring_start + sink.ring_len) % LOG_RING_MAX;
    first = n < LOG_RING_MAX - at ? n : LOG_RING_MAX - at;
    memcpy(sink.ring + at, bytes, first);
    memcpy(sink.ring, bytes + first, n - first);
    sink.ring_len += n;
}

static void write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done <= 0) {
            return; /* There is nobody to tell. */
        }
        bytes += done;
        n -= (size_t)done;
    }
}

bool log_allow(struct log_limit *l, unsigned per_s, uint64_t *ret_left_out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (l->second != (int64_t)now.tv_sec) {
        l->second = (int64_t)now.tv_sec;
        l->n = 0;
    }
    if (l->n == per_s) {
        l->left_out++;
        return false;
    }
    l->n++;
    *ret_left_out = l->left_out;
    l->left_out = 0;
    return true;
}

void log_dump(int fd)
{
    size_t first = sink.ring_len < LOG_RING_MAX - sink.ring_start ? sink.ring_len
                                                                  : LOG_RING_MAX - sink.ring_start;
    write_all(fd, sink.ring + sink.ring_start, first);
    write_all(fd, sink.ring, sink.ring_len - first);
}

/* --- crashes
 * -------------------------------------------------------------------------------------- */

static void on_crash(int signum)
{
    static const char head[] = "killed by signal ";
    char number[3] = {(char)('0' + signum / 10 % 10), (char)('0' + signum % 10), '\n'};
    int fd = STDERR_FILENO;
    if (sink.crash_path != NULL) {
        int own = open(sink.crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        fd = own >= 0 ? own : fd;
    }
    write_all(fd, head, sizeof head - 1);
    write_all(fd, number, sizeof number);
    log_dump(fd);
    (void)raise(signum); /* SA_RESETHAND: the default action now. */
}

void log_catch_crashes(const char *path)
{
    static const int signums[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_crash;
    action.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
    sink.crash_path = path;
    for (size_t i = 0; i < sizeof signums / sizeof signums[0]; i++) {
        (void)sigaction(signums[i], &action, NULL);
    }
}

/* --- events
 * --------------------------------------------------------------------------------------- */

void log_open(const struct log_options *options)
{
    (void)pthread_mutex_lock(&sink.lock);
    sink.options = *options;
    (void)pthread_mutex_unlock(&sink.lock);
}

bool log_level_parse(struct str text, enum log_level *ret)
{
    for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
        if (str_eqc(text, level_names[i])) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    /* Read without the lock: it changes at start-up and on SIGHUP only, and a stale answer is
     * worth a line more or less. */
    return level <= __atomic_load_n(&sink.options.level, __ATOMIC_RELAXED);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    struct log_options options;
    struct line line;
    if (!log_enabled(level)) {
        return;
    }
    (void)pthread_mutex_lock(&sink.lock);
    options = sink.options;
    (void)pthread_mutex_unlock(&sink.lock);
    line_build(&line, &options, level, event, fields);
    (void)pthread_mutex_lock(&sink.lock);
    ring_put(line.text, line.len);
    (void)pthread_mutex_unlock(&sink.lock);
    if (options.fd >= 0) {
        write_all(options.fd, line.text, line.len);
    }
}

struct log_field log_u64(const char *key, uint64_t v)
{
    return (struct log_field){.key = key, .type = LOG_U64, .v.u64 = v};
}

struct log_field log_i64(const char *key, int64_t v)
{
    return (struct log_field){.key = key, .type = LOG_I64, .v.i64 = v};
}

struct log_field log_bool(const char *key, bool v)
{
    return (struct log_field){.key = key, .type = LOG_BOOL, .v.b = v};
}

struct log_field log_str(const char *key, const char *v)
{
    return log_strn(key, str_of(v));
}

struct log_field log_strn(const char *key, struct str v)
{
    return (struct log_field){.key = key, .type = LOG_STR, .v.str = v};
}

struct log_field log_id(const char *key, struct id v)
{
    return (struct log_field){.key = key, .type = LOG_ID, .v.id = v};
}

struct log_field log_err(const struct err *err)
{
    return log_str("err", err->text);
}
