#include "agent/proc/files.h"
#include "agent/proc/jobs.h"
#include "agent/proc/spawn.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void run_shell(const char *script, struct spawn *s, const char **argv)
{
    memset(s, 0, sizeof *s);
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = NULL;
    s->argv = argv;
    s->in = -1;
    s->extra = -1;
}

START_TEST(a_program_gives_its_output_and_status)
    {
        const char *argv[4];
        struct spawn s;
        struct buf out;
        struct buf log;
        int status = -1;
        buf_init(&out, test_mem(), 100);
        buf_init(&log, test_mem(), 100);
        run_shell("echo out; echo log >&2; exit 7", &s, argv);
        s.out = &out;
        s.log = &log;
        ck_assert_int_eq(spawn_run(&s, &status, NULL), 0);
        ck_assert_int_eq(status, 7);
        ck_assert_str_eq(buf_cstr(&out), "out\n");
        ck_assert_str_eq(buf_cstr(&log), "log\n");
        run_shell("kill -9 $$", &s, argv);
        ck_assert_int_eq(spawn_run(&s, &status, NULL), 0);
        ck_assert_int_eq(status, 137);
        buf_close(&out);
        buf_close(&log);
    }
END_TEST

START_TEST(output_beyond_the_maximum_is_cut_and_does_not_block)
    {
        const char *argv[4];
        struct spawn s;
        struct buf out;
        int status = -1;
        buf_init(&out, test_mem(), 1000);
        run_shell("dd if=/dev/zero bs=1000 count=1000 2>/dev/null", &s, argv);
        s.out = &out;
        ck_assert_int_eq(spawn_run(&s, &status, NULL), 0);
        ck_assert_int_eq(status, 0);
        ck_assert_uint_eq(out.len, 1000);
        buf_close(&out);
    }
END_TEST

START_TEST(a_program_that_takes_too_long_is_killed)
    {
        const char *argv[4];
        struct spawn s;
        struct err err = {0};
        atomic_bool canceled = true;
        int status = -1;
        run_shell("sleep 60", &s, argv);
        s.timeout_ms = 50;
        ck_assert_int_eq(spawn_run(&s, &status, &err), ERR_TIMEOUT);
        s.timeout_ms = 0;
        s.canceled = &canceled;
        ck_assert_int_eq(spawn_run(&s, &status, &err), ERR_CANCELED);
    }
END_TEST

START_TEST(a_daemon_left_behind_does_not_delay_the_end)
    {
        const char *argv[4];
        struct spawn s;
        struct buf out;
        struct timespec from;
        struct timespec to;
        int status = -1;
        buf_init(&out, test_mem(), 100);
        run_shell("sleep 3 & echo done", &s, argv);
        s.out = &out;
        clock_gettime(CLOCK_MONOTONIC, &from);
        ck_assert_int_eq(spawn_run(&s, &status, NULL), 0);
        clock_gettime(CLOCK_MONOTONIC, &to);
        ck_assert_str_eq(buf_cstr(&out), "done\n");
        ck_assert_int_lt(to.tv_sec - from.tv_sec, 2);
        buf_close(&out);
    }
END_TEST

START_TEST(a_failure_carries_the_last_line_of_stderr)
    {
        const char *argv[4];
        struct spawn s;
        struct err err = {0};
        run_shell("echo first >&2; echo 'the reason' >&2; exit 3", &s, argv);
        ck_assert_int_eq(spawn_check(&s, &err), ERR_IO);
        ck_assert_str_eq(err.text, "sh: exit status 3: the reason");
        argv[0] = "/nonexistent/program";
        ck_assert_int_eq(spawn_check(&s, &err), ERR_NOTFOUND);
    }
END_TEST

/* Only 0 to 2, and 3 when asked for, reach the program. */
START_TEST(no_descriptor_leaks_into_a_program)
    {
        const char *argv[4];
        struct spawn s;
        struct buf out;
        int status = -1;
        int leak = open("/dev/null", O_RDONLY); /* Without O_CLOEXEC. */
        ck_assert_int_ge(leak, 3);
        buf_init(&out, test_mem(), 100);
        run_shell("ls /proc/$$/fd; true", &s, argv);
        s.out = &out;
        ck_assert_int_eq(spawn_run(&s, &status, NULL), 0);
        ck_assert_str_eq(buf_cstr(&out), "0\n1\n2\n");
        buf_clear(&out);
        s.extra = leak;
        ck_assert_int_eq(spawn_run(&s, &status, NULL), 0);
        ck_assert_str_eq(buf_cstr(&out), "0\n1\n2\n3\n");
        close(leak);
        buf_close(&out);
    }
END_TEST

START_TEST(a_file_is_replaced_whole_and_read_back)
    {
        char dir[] = "/tmp/test_proc.XXXXXX";
        char path[64];
        struct buf b;
        struct err err;
        unsigned long long n = 0;
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/file", dir);
        ck_assert_int_eq(file_write(AT_FDCWD, path, "17\n", 3, 0600, true, &err), 0);
        ck_assert_int_eq(file_u64(AT_FDCWD, path, &n, &err), 0);
        ck_assert_uint_eq(n, 17);
        ck_assert_int_eq(file_write(AT_FDCWD, path, "max\n", 4, 0600, false, &err), 0);
        ck_assert_int_eq(file_u64(AT_FDCWD, path, &n, &err), 0);
        ck_assert_uint_eq(n, UINT64_MAX);
        buf_init(&b, test_mem(), 3);
        ck_assert_int_eq(file_read(AT_FDCWD, path, &b, &err), ERR_TOOBIG);
        buf_close(&b);
        buf_init(&b, test_mem(), 5);
        ck_assert_int_eq(file_read(AT_FDCWD, path, &b, &err), 0);
        ck_assert_str_eq(buf_cstr(&b), "max\n");
        buf_close(&b);
        ck_assert_int_eq(dir_remove(AT_FDCWD, dir, &err), 0);
        ck_assert_int_eq(access(dir, F_OK), -1);
        ck_assert_int_eq(dir_remove(AT_FDCWD, dir, &err), 0);
    }
END_TEST

/* 3000 levels: deeper than PATH_MAX, with files, links and unreadable directories on the way. */
START_TEST(a_tree_of_any_depth_is_removed_and_links_are_not_followed)
    {
        char dir[] = "/tmp/test_proc.XXXXXX";
        char outside[] = "/tmp/test_proc.XXXXXX";
        struct err err = {0};
        int fd;
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_ptr_nonnull(mkdtemp(outside));
        fd = open(dir, O_RDONLY | O_DIRECTORY);
        for (int i = 0; i < 3000; i++) {
            int next;
            ck_assert_int_eq(mkdirat(fd, "d", 0), 0);
            ck_assert_int_eq(mkdirat(fd, "empty", 0700), 0);
            ck_assert_int_eq(symlinkat(outside, fd, "link"), 0);
            ck_assert_int_eq(mknodat(fd, "file", S_IFREG | 0600, 0), 0);
            next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
            ck_assert_int_ge(next, 0);
            close(fd);
            fd = next;
        }
        close(fd);
        ck_assert_int_eq(dir_remove(AT_FDCWD, dir, &err), 0);
        ck_assert_int_eq(access(dir, F_OK), -1);
        ck_assert_int_eq(access(outside, F_OK), 0);
        ck_assert_int_eq(rmdir(outside), 0);
    }
END_TEST

#define N_JOBS 50

struct count {
    struct job jobs[N_JOBS];
    atomic_int worked;
    int done;
    int canceled;
    bool closed;
};

static void count_work(struct job *j)
{
    struct count *c = j->data;
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
    atomic_fetch_add(&c->worked, 1);
}

static void count_done(struct job *j)
{
    struct count *c = j->data;
    c->done++;
    c->canceled += job_canceled(j) ? 1 : 0;
}

static void count_closed(void *data)
{
    struct count *c = data;
    c->closed = true;
}

/* Half of the runs close the queue at once: then every job still ends exactly once. */
START_TEST(every_job_ends_once_also_when_the_queue_closes)
    {
        static struct count c;
        uv_loop_t loop;
        struct jobs *q = NULL;
        memset(&c, 0, sizeof c);
        ck_assert_int_eq(uv_loop_init(&loop), 0);
        ck_assert_int_eq(jobs_open(&loop, 3, &q, NULL), 0);
        for (int i = 0; i < N_JOBS; i++) {
            c.jobs[i].data = &c;
            jobs_submit(q, &c.jobs[i], count_work, count_done);
        }
        ck_assert_int_eq(c.done, 0);
        while (_i == 0 && c.done < N_JOBS) {
            uv_run(&loop, UV_RUN_ONCE);
        }
        jobs_close(q, count_closed, &c);
        uv_run(&loop, UV_RUN_DEFAULT);
        ck_assert(c.closed);
        ck_assert_int_eq(c.done, N_JOBS);
        ck_assert_int_eq(atomic_load(&c.worked) >= N_JOBS - c.canceled, 1);
        ck_assert(_i == 0 ? c.canceled == 0 : c.canceled > 0);
        ck_assert_int_eq(uv_loop_close(&loop), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("proc");
    TCase *loops = tcase_create("jobs");
    TEST_CASE(s, "proc", 60, a_program_gives_its_output_and_status,
              output_beyond_the_maximum_is_cut_and_does_not_block,
              a_program_that_takes_too_long_is_killed, a_daemon_left_behind_does_not_delay_the_end,
              a_failure_carries_the_last_line_of_stderr, no_descriptor_leaks_into_a_program,
              a_file_is_replaced_whole_and_read_back,
              a_tree_of_any_depth_is_removed_and_links_are_not_followed);
    tcase_add_loop_test(loops, every_job_ends_once_also_when_the_queue_closes, 0, 2);
    suite_add_tcase(s, loops);
    return test_run(s);
}
