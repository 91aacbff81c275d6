#include "agent/link/logtail.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test-logtail-XXXXXX";
static char path[64];

static void setup(void)
{
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/log.json", dir);
}

static void teardown(void)
{
    char name[80];
    (void)unlink(path);
    for (int i = 1; i < 30; i++) {
        snprintf(name, sizeof name, "%s.%d", path, i);
        (void)unlink(name);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Lines "from" to "to" - 1; line n was written in second n of 2026. */
static void put(int from, int to)
{
    FILE *f = fopen(path, "a");
    ck_assert_ptr_nonnull(f);
    for (int i = from; i < to; i++) {
        fprintf(
            f,
            "{\"log\":\"%d\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:%02d:%02d.5Z\"}\n",
            i, i / 60, i % 60);
    }
    fclose(f);
}

static void rotate(void)
{
    char from[80];
    char to[80];
    for (int i = 28; i > 0; i--) {
        snprintf(from, sizeof from, "%s.%d", path, i);
        snprintf(to, sizeof to, "%s.%d", path, i + 1);
        (void)rename(from, to);
    }
    snprintf(to, sizeof to, "%s.1", path);
    (void)rename(path, to);
}

static struct logtail open_tail(int64_t since, uint32_t tail)
{
    struct logtail t;
    logtail_init(&t, since, tail);
    snprintf(t.path, sizeof t.path, "%s", path);
    return t;
}

/* Read all there is; check that it is lines from to to - 1. */
static void expect(struct logtail *t, int from, int to)
{
    static char text[1 << 16];
    struct err err = {0};
    size_t n = 1;
    while (n > 0) {
        char *p = text;
        ck_assert_msg(logtail_read(t, text, sizeof text - 1, &n, &err) == 0, "%s", err.text);
        text[n] = '\0';
        while (*p != '\0') {
            char want[32];
            snprintf(want, sizeof want, "{\"log\":\"%d\\n\"", from);
            ck_assert_msg(strncmp(p, want, strlen(want)) == 0, "want %s, got %.40s", want, p);
            from++;
            p = strchr(p, '\n') + 1;
        }
    }
    ck_assert_int_eq(from, to);
}

START_TEST(all_files_are_read_oldest_first)
    {
        struct logtail t = open_tail(0, 0);
        put(0, 3000);
        rotate();
        put(3000, 6000);
        rotate();
        put(6000, 6001);
        expect(&t, 0, 6001);
        put(6001, 6002);
        expect(&t, 6001, 6002);
        logtail_close(&t);
    }
END_TEST

START_TEST(the_tail_is_the_last_lines_whatever_file_they_are_in)
    {
        static const int tails[] = {1, 2, 9, 10, 11, 19, 20, 25, 1000};
        put(0, 500); /* More than one block to scan. */
        rotate();
        put(500, 510);
        rotate();
        put(510, 520);
        for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
            struct logtail t = open_tail(0, (uint32_t)tails[i]);
            expect(&t, tails[i] > 520 ? 0 : 520 - tails[i], 520);
            logtail_close(&t);
        }
        for (uint32_t n = 1; n <= 520; n++) {
            struct logtail t = open_tail(0, n);
            expect(&t, 520 - (int)n, 520);
            logtail_close(&t);
        }
    }
END_TEST

START_TEST(following_goes_on_across_rotations)
    {
        struct logtail t = open_tail(0, 5);
        expect(&t, 0, 0); /* No file yet. */
        put(0, 10);
        expect(&t, 5, 10);
        put(10, 12);
        rotate();
        put(12, 13);
        expect(&t, 10, 13);
        put(13, 14);
        rotate();
        put(14, 15);
        rotate(); /* Two between two looks. */
        expect(&t, 13, 15);
        put(15, 16);
        expect(&t, 15, 16);
        logtail_close(&t);
    }
END_TEST

START_TEST(old_lines_are_left_out)
    {
        struct logtail t = open_tail(logtail_time("2026-01-01T00:01:40Z", 20), 0);
        put(0, 50);
        rotate();
        put(50, 200);
        expect(&t, 100, 200);
        logtail_close(&t);
    }
END_TEST

START_TEST(times_are_read)
    {
        static const struct {
            const char *text;
            int64_t ms;
        } cases[] = {
            {"1970-01-01T00:00:00Z", 0},
            {"2000-02-29T12:00:00.250Z", 951825600250},
            {"2026-01-02T03:04:05.123456789Z", 1767323045123},
            {"2100-03-01T00:00:00Z", 4107542400000},
            {"yesterday", -1},
            {"2026-01-02 03:04:05Z", -1},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            ck_assert_int_eq(logtail_time(cases[i].text, strlen(cases[i].text)), cases[i].ms);
        }
    }
END_TEST

START_TEST(links_are_not_followed)
    {
        struct logtail t = open_tail(0, 0);
        struct err err = {0};
        char text[100];
        size_t n;
        ck_assert_int_eq(symlink("/etc/passwd", path), 0);
        ck_assert_int_eq(logtail_read(&t, text, sizeof text, &n, &err), ERR_IO);
        logtail_close(&t);
    }
END_TEST

START_TEST(half_a_line_waits_for_its_end)
    {
        struct logtail t = open_tail(0, 0);
        FILE *f;
        put(0, 1);
        f = fopen(path, "a");
        fputs("{\"log\":\"1", f);
        fclose(f);
        expect(&t, 0, 1);
        f = fopen(path, "a");
        fputs("\\n\"}\n", f);
        fclose(f);
        expect(&t, 1, 2);
        logtail_close(&t);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("agent logtail");
    TCase *c = tcase_create("logtail");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, all_files_are_read_oldest_first);
    tcase_add_test(c, the_tail_is_the_last_lines_whatever_file_they_are_in);
    tcase_add_test(c, following_goes_on_across_rotations);
    tcase_add_test(c, old_lines_are_left_out);
    tcase_add_test(c, times_are_read);
    tcase_add_test(c, links_are_not_followed);
    tcase_add_test(c, half_a_line_waits_for_its_end);
    suite_add_tcase(s, c);
    return test_run(s);
}
