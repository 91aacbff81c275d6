/* Log lines: both formats, escaping, cutting, the ring, threads. */
#include "common/log/log.h"
#include "tests/lib/test.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipe_fds[2];

static void open_log(bool json, enum log_level level)
{
    struct log_options o = {.level = level, .json = json};
    ck_assert_int_eq(pipe(pipe_fds), 0);
    o.fd = pipe_fds[1];
    log_open(&o);
}

/* Everything written so far; the log is closed. */
static char *read_log(void)
{
    static char text[1 << 16];
    struct log_options off = {.fd = -1};
    ssize_t n;
    log_open(&off);
    (void)close(pipe_fds[1]);
    n = read(pipe_fds[0], text, sizeof text - 1);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    (void)close(pipe_fds[0]);
    return text;
}

START_TEST(a_line_has_time_level_event_and_typed_fields)
    {
        char *text;
        struct err err = {0};
        struct id id = {0x0123456789abcdefull, 0xfedcba9876543210ull};
        err_set(&err, ERR_IO, "disk \"a\" is\nfull");
        open_log(false, LOG_LEVEL_INFO);
        log_info("node.down", log_u64("node", 17), log_i64("delta", -3), log_bool("ok", false),
                 log_str("reason", "gone"), log_str("empty", NULL), log_id("id", id),
                 log_err(&err));
        text = read_log();
        ck_assert_uint_eq(strcspn(text, "Z"), 23);
        ck_assert_str_eq(text + 24,
                         " info node.down node=17 delta=-3 ok=false reason=gone empty=\"\" "
                         "id=0123456789abcdeffedcba9876543210 err=\"disk \\\"a\\\" is\\nfull\"\n");
    }
END_TEST

START_TEST(an_event_needs_no_fields_and_debug_is_off_by_level)
    {
        char *text;
        open_log(false, LOG_LEVEL_INFO);
        log_debug("not.written");
        log_error("alone");
        text = read_log();
        ck_assert_str_eq(text + 24, " error alone\n");
    }
END_TEST

START_TEST(json_lines_parse_whatever_the_bytes)
    {
        char *text;
        json_t *root;
        open_log(true, LOG_LEVEL_DEBUG);
        log_warn("odd", log_strn("bytes", str_make("\x00\x01\xff\"\\\n\x7f", 7)),
                 log_str("utf8", "gr\xc3\xbc\xc3\x9f"));
        text = read_log();
        root = json_loads(text, JSON_ALLOW_NUL, NULL);
        ck_assert_ptr_nonnull(root);
        ck_assert_str_eq(json_string_value(json_object_get(root, "level")), "warn");
        ck_assert_str_eq(json_string_value(json_object_get(root, "event")), "odd");
        ck_assert_str_eq(json_string_value(json_object_get(root, "utf8")), "gr\xc3\xbc\xc3\x9f");
        json_decref(root);
    }
END_TEST

START_TEST(a_long_line_is_cut_at_a_field_and_stays_one_valid_line)
    {
        static char big[2 * LOG_LINE_MAX];
        memset(big, 'x', sizeof big - 1);
        for (int json = 0; json < 2; json++) {
            char *text;
            open_log(json, LOG_LEVEL_INFO);
            for (size_t n = LOG_LINE_MAX - 120; n < LOG_LINE_MAX; n++) {
                log_info("long", log_strn("big", str_make(big, n)), log_u64("after", 1));
                if (n % 20 == 0 || n == LOG_LINE_MAX - 1) {
                    char *end;
                    text = read_log();
                    while ((end = strchr(text, '\n')) != NULL) {
                        ck_assert_uint_lt((size_t)(end - text), LOG_LINE_MAX);
                        *end = '\0';
                        if (json) {
                            json_t *root = json_loads(text, 0, NULL);
                            ck_assert_ptr_nonnull(root);
                            json_decref(root);
                        }
                        text = end + 1;
                    }
                    ck_assert_str_eq(text, "");
                    open_log(json, LOG_LEVEL_INFO);
                }
            }
            log_info("cut", log_strn("big", str_make(big, sizeof big - 1)));
            text = read_log();
            ck_assert_ptr_nonnull(strstr(text, json ? "\"cut\":true}\n" : " cut=true\n"));
        }
    }
END_TEST

START_TEST(the_ring_keeps_the_newest_whole_lines)
    {
        static char dump[LOG_RING_MAX + 1];
        struct log_options o = {.level = LOG_LEVEL_INFO, .fd = -1};
        FILE *f = tmpfile();
        size_t n;
        unsigned want;
        char *line;
        char *end;
        ck_assert_ptr_nonnull(f);
        log_open(&o);
        for (unsigned i = 0; i < 5000; i++) {
            log_info("event", log_u64("i", i));
        }
        log_dump(fileno(f));
        rewind(f);
        n = fread(dump, 1, LOG_RING_MAX, f);
        dump[n] = '\0';
        ck_assert_uint_gt(n, LOG_RING_MAX / 2);
        line = dump;
        want = 0;
        while ((end = strchr(line, '\n')) != NULL) {
            char *at = strstr(line, "event i=");
            unsigned i;
            ck_assert_ptr_nonnull(at);
            i = (unsigned)strtoul(at + 8, NULL, 10);
            ck_assert(want == 0 || i == want);
            want = i + 1;
            line = end + 1;
        }
        ck_assert_uint_eq(want, 5000);
        (void)fclose(f);
    }
END_TEST

static void *writer(void *arg)
{
    for (uint64_t i = 0; i < 100; i++) {
        log_info("thread", log_str("name", arg), log_u64("i", i));
    }
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
    {
        pthread_t threads[4];
        static char names[4][2] = {"a", "b", "c", "d"};
        unsigned n = 0;
        char *text;
        open_log(false, LOG_LEVEL_INFO);
        for (size_t i = 0; i < 4; i++) {
            ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, names[i]), 0);
        }
        for (size_t i = 0; i < 4; i++) {
            (void)pthread_join(threads[i], NULL);
        }
        text = read_log();
        for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
            ck_assert_int_eq(strncmp(text + 24, " info thread name=", 18), 0);
            n++;
        }
        ck_assert_uint_eq(n, 400);
    }
END_TEST

START_TEST(a_crash_leaves_a_report_and_the_same_death)
    {
        char path[] = "/tmp/test_log.XXXXXX";
        char text[4096];
        int status;
        pid_t pid;
        FILE *f;
        size_t n;
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        (void)close(fd);
        pid = fork();
        if (pid == 0) {
            struct log_options o = {.level = LOG_LEVEL_INFO, .fd = -1};
            log_open(&o);
            log_catch_crashes(path);
            log_info("last.words", log_u64("n", 42));
            abort();
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        f = fopen(path, "r");
        ck_assert_ptr_nonnull(f);
        n = fread(text, 1, sizeof text - 1, f);
        text[n] = '\0';
        (void)fclose(f);
        (void)unlink(path);
        ck_assert_ptr_nonnull(strstr(text, "killed by signal 06\n"));
        ck_assert_ptr_nonnull(strstr(text, "last.words n=42\n"));
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("log");
    TEST_CASE(s, "log", 30, a_line_has_time_level_event_and_typed_fields,
              an_event_needs_no_fields_and_debug_is_off_by_level,
              json_lines_parse_whatever_the_bytes,
              a_long_line_is_cut_at_a_field_and_stays_one_valid_line,
              the_ring_keeps_the_newest_whole_lines, lines_of_threads_do_not_mix,
              a_crash_leaves_a_report_and_the_same_death);
    return test_run(s);
}
