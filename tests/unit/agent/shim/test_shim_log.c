/* The supervisor is a program of its own and in no library: its log module is taken in whole. */
#include "agent/shim/log.c"

#include "tests/lib/test.h"

#include <jansson.h>
#include <stdlib.h>

struct setup {
    char dir[64];
    struct shim_log *log;
    struct log_stream *out;
};

static void begin(struct setup *s, uint64_t max_size, unsigned max_files)
{
    snprintf(s->dir, sizeof s->dir, "/tmp/test_shim_log.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->dir));
    ck_assert_int_eq(chdir(s->dir), 0);
    s->log = calloc(1, sizeof *s->log);
    s->out = calloc(1, sizeof *s->out);
    s->out->name = "stdout";
    shim_log_init(s->log, max_size, max_files);
}

static void end(struct setup *s)
{
    for (unsigned i = 0; i < 16; i++) {
        char name[32];
        file_name(name, sizeof name, i);
        unlink(name);
    }
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(s->dir), 0);
    if (s->log->fd >= 0) {
        close(s->log->fd);
    }
    free(s->log);
    free(s->out);
}

/* Every record of a file must be one JSON object; their "log" texts, joined. The number of them. */
static unsigned read_back(unsigned file, char *ret, size_t size)
{
    char name[32];
    char *line = NULL;
    size_t cap = 0;
    unsigned n = 0;
    FILE *f;
    ret[0] = '\0';
    file_name(name, sizeof name, file);
    f = fopen(name, "r");
    while (f != NULL && getline(&line, &cap, f) > 0) {
        json_t *o = json_loads(line, 0, NULL);
        ck_assert_msg(o != NULL, "not JSON: %s", line);
        ck_assert_str_eq(json_string_value(json_object_get(o, "stream")), "stdout");
        ck_assert_uint_eq(strlen(json_string_value(json_object_get(o, "time"))), 30);
        strncat(ret, json_string_value(json_object_get(o, "log")), size - strlen(ret) - 1);
        json_decref(o);
        n++;
    }
    free(line);
    if (f != NULL) {
        fclose(f);
    }
    return n;
}

/* However the bytes arrive, in one piece or one by one, the same lines come out. */
START_TEST(lines_do_not_depend_on_how_bytes_arrive)
    {
        static const char text[] = "one\ntwo\n\nthree \"quoted\" \\ back\ttab\nlast without end";
        char got[1024];
        size_t step = (size_t)_i + 1;
        struct setup s;
        begin(&s, 1 << 20, 1);
        for (size_t i = 0; i < sizeof text - 1; i += step) {
            size_t n = sizeof text - 1 - i < step ? sizeof text - 1 - i : step;
            shim_log_put(s.log, s.out, text + i, n);
        }
        shim_log_end(s.log, s.out);
        shim_log_flush(s.log);
        ck_assert_uint_eq(read_back(0, got, sizeof got), 5);
        ck_assert_str_eq(got, text);
        end(&s);
    }
END_TEST

START_TEST(every_byte_gives_valid_json)
    {
        static char got[8192];
        static const char tail[] = "\n\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80\xc0\x80\n";
        char bytes[256];
        struct setup s;
        begin(&s, 1 << 20, 1);
        for (int i = 1; i < 256; i++) {
            bytes[i - 1] = (char)i;
        }
        shim_log_put(s.log, s.out, bytes, 255);
        shim_log_put(s.log, s.out, tail, sizeof tail - 1);
        shim_log_flush(s.log);
        ck_assert_uint_eq(read_back(0, got, sizeof got), 3);
        ck_assert_ptr_nonnull(strstr(got, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
        ck_assert_ptr_nonnull(strstr(got, "\xef\xbf\xbd"));
        end(&s);
    }
END_TEST

START_TEST(long_lines_are_cut_and_lose_nothing)
    {
        enum { LEN = 3 * SHIM_LINE_MAX + 100 };
        static char text[LEN + 1];
        static char got[LEN + 10];
        struct setup s;
        begin(&s, 1 << 20, 1);
        memset(text, '\x01', LEN); /* The worst to escape. */
        text[LEN - 1] = '\n';
        for (size_t i = 0; i < LEN; i += 1000) {
            shim_log_put(s.log, s.out, text + i, LEN - i < 1000 ? LEN - i : 1000);
        }
        shim_log_flush(s.log);
        ck_assert_uint_eq(read_back(0, got, sizeof got), 4);
        ck_assert_str_eq(got, text);
        end(&s);
    }
END_TEST

START_TEST(rotation_keeps_the_newest_and_no_more_files_than_allowed)
    {
        static char got[65536];
        struct setup s;
        struct stat st;
        char line[32];
        begin(&s, 2000, 3);
        for (int i = 0; i < 500; i++) {
            shim_log_put(s.log, s.out, line, (size_t)snprintf(line, sizeof line, "line %d\n", i));
            shim_log_flush(s.log);
        }
        ck_assert_uint_gt(read_back(0, got, sizeof got), 0);
        ck_assert_ptr_nonnull(strstr(got, "line 499\n"));
        ck_assert_uint_gt(read_back(1, got, sizeof got), 0);
        ck_assert_uint_gt(read_back(2, got, sizeof got), 0);
        ck_assert_uint_eq(read_back(3, got, sizeof got), 0);
        for (unsigned i = 0; i < 3; i++) {
            file_name(line, sizeof line, i);
            ck_assert_int_eq(stat(line, &st), 0);
            ck_assert_int_le(st.st_size, 2000);
        }
        ck_assert_uint_eq(s.log->n_lost, 0);
        end(&s);
    }
END_TEST

START_TEST(a_log_that_cannot_be_written_is_counted_and_not_fatal)
    {
        struct setup s;
        begin(&s, 1 << 20, 1);
        ck_assert_int_eq(mkdir(SHIM_FILE_LOG, 0700), 0); /* Nothing can be opened there. */
        shim_log_put(s.log, s.out, "a\nb\n", 4);
        shim_log_flush(s.log);
        ck_assert_uint_eq(s.log->n_lost, 2);
        ck_assert_int_eq(rmdir(SHIM_FILE_LOG), 0);
        shim_log_put(s.log, s.out, "c\n", 2);
        shim_log_flush(s.log);
        ck_assert_uint_eq(s.log->n_lost, 2);
        end(&s);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("shim log");
    TCase *pieces = tcase_create("pieces");
    TEST_CASE(s, "log", 10, every_byte_gives_valid_json, long_lines_are_cut_and_lose_nothing,
              rotation_keeps_the_newest_and_no_more_files_than_allowed,
              a_log_that_cannot_be_written_is_counted_and_not_fatal);
    tcase_add_loop_test(pieces, lines_do_not_depend_on_how_bytes_arrive, 0, 60);
    suite_add_tcase(s, pieces);
    return test_run(s);
}
