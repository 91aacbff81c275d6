/* The real disk, with each of its system calls failing in turn: EIO, a full disk, an interruption,
 * half a transfer. An error that names the file, or success; never a crash, a lost descriptor, or
 * something that was acknowledged and is not there when the process starts again. */
#undef _FORTIFY_SOURCE /* Its inline functions have the names of those replaced here. */

#include "tests/unit/controller/raftio/durable_house.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* In memory: what is tested is what we make of an answer, and a sync costs nothing. */
#define FOLDER "/dev/shm/test-disk-faults-XXXXXX"

/* --- the system calls of disk_posix.c ----------------------------------------------------------
 */

enum fault { FAULT_EIO, FAULT_ENOSPC, FAULT_EINTR, FAULT_SHORT, FAULT_N };

static unsigned until_fault; /* Calls from here; 0: none fails. */
static unsigned n_calls;
static enum fault fault;
static bool fault_stays; /* EIO, ENOSPC: the disk is gone for good. */

/* Whether this call is the one. */
static bool hit(void)
{
    n_calls++;
    if (until_fault == 0 || --until_fault > 0) {
        return false;
    }
    until_fault = fault_stays ? 1 : 0;
    errno = fault == FAULT_ENOSPC ? ENOSPC : fault == FAULT_EINTR ? EINTR : EIO;
    return true;
}

/* The function of the C library that ours stands in front of. */
#define REAL(name) (__extension__(__typeof__(&name)) real(#name))

static void *real(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    ck_assert_ptr_nonnull(f);
    return f;
}

/* Half of n bytes, at least one. */
static size_t half(size_t n)
{
    return n > 1 ? n / 2 : n;
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    if (hit()) {
        return fault == FAULT_SHORT ? REAL(pread)(fd, to, half(n), at) : -1;
    }
    return REAL(pread)(fd, to, n, at);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    if (hit()) {
        if (fault == FAULT_EINTR) {
            return -1;
        }
        ssize_t put = REAL(pwrite)(fd, from, half(n), at);
        return fault == FAULT_SHORT ? put : -1; /* A part may be written all the same. */
    }
    return REAL(pwrite)(fd, from, n, at);
}

int fdatasync(int fd)
{
    return hit() ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    return hit() ? -1 : REAL(fsync)(fd);
}

int posix_fallocate(int fd, off_t at, off_t n)
{
    return hit() ? errno : REAL(posix_fallocate)(fd, at, n);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;
    va_start(ap, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return hit() ? -1 : REAL(openat)(dir, path, flags, mode);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return hit() ? -1 : REAL(renameat)(from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *path, int flags)
{
    return hit() ? -1 : REAL(unlinkat)(dir, path, flags);
}

int fstat(int fd, struct stat *st)
{
    return hit() ? -1 : REAL(fstat)(fd, st);
}

DIR *fdopendir(int fd)
{
    return hit() ? NULL : REAL(fdopendir)(fd);
}

/* --- runs --------------------------------------------------------------------------------------
 */

static const struct script script = {
    .name = "all",
    .steps = {{VOTE, 0, 0},
              {APPEND, 2, 6},
              {FLUSH, 0, 0},
              {MARK, 0, 0},
              {VOTE, 0, 0},
              {APPEND, 5, 9},
              {FLUSH, 0, 0},
              {PREPARE, 0, 0},
              {NOTE, 9, 0},
              {TRIM, 9, 0},
              {APPEND, 14, 8},
              {FLUSH, 0, 0},
              {MARK, 0, 0},
              {INSTALL, 30, 0},
              {APPEND, 31, 2},
              {FLUSH, 0, 0}},
};

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void remove_all(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL) {
        (void)unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* The script on a new directory with one fault; returns whether all of it was done. */
static bool run_with_fault(struct house *h, char *dir, unsigned n)
{
    struct disk disk = {0};
    int rv;
    memset(h, 0, sizeof *h);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(disk_posix_open(dir, &disk, NULL), 0);
    n_calls = 0;
    until_fault = n;
    rv = run_script(h, &disk, &script);
    until_fault = 0;
    close_house(h);
    disk_posix_close(&disk);
    ck_assert(rv == 0 || rv == ERR_IO || rv == ERR_FULL);
    ck_assert(rv != ERR_FULL || fault == FAULT_ENOSPC);
    return rv == 0;
}

/* The process starts again, on a disk that works. */
static void start_again(struct house *h, const char *dir)
{
    struct model before = h->m;
    struct disk disk = {0};
    ck_assert_int_eq(disk_posix_open(dir, &disk, NULL), 0);
    h->ops = &disk;
    must_open(h);
    check_house(h, &before);
    close_house(h);
    disk_posix_close(&disk);
}

START_TEST(every_call_may_fail)
    {
        static struct house h;
        unsigned descriptors = open_descriptors();
        unsigned failed = 0;
        unsigned n = 0;
        bool finished = false;
        fault = (enum fault)(_i % FAULT_N);
        fault_stays = _i >= FAULT_N;
        while (!finished) {
            char dir[] = FOLDER;
            bool done;
            n++;
            done = run_with_fault(&h, dir, n);
            finished = n > n_calls;
            ck_assert(done || !finished);
            failed += !done;
            start_again(&h, dir);
            remove_all(dir);
            ck_assert_uint_eq(open_descriptors(), descriptors);
            ck_assert_uint_eq(test_mem_in_use(), 0);
        }
        ck_assert_uint_gt(n, 80);
        ck_assert_uint_gt(failed, 30);
    }
END_TEST

/* Opening what is there: each call that reads may fail, and nothing is harmed by it. */
START_TEST(every_call_of_a_start_may_fail)
    {
        static struct house h;
        char dir[] = FOLDER;
        unsigned failed = 0;
        int rv = ERR_IO;
        fault = (enum fault)_i;
        fault_stays = false;
        ck_assert(run_with_fault(&h, dir, 0));
        for (unsigned n = 1; n == 1 || n <= n_calls; n++) {
            struct disk disk = {0};
            struct err err = {0};
            ck_assert_int_eq(disk_posix_open(dir, &disk, NULL), 0);
            h.ops = &disk;
            n_calls = 0;
            until_fault = n;
            rv = open_house(&h, &err);
            until_fault = 0;
            ck_assert_msg(rv == 0 || strstr(err.text, dir) != NULL, "call %u: %s", n, err.text);
            failed += rv != 0;
            close_house(&h);
            disk_posix_close(&disk);
            start_again(&h, dir);
        }
        ck_assert_int_eq(rv, 0);
        ck_assert(failed > 10 || fault == FAULT_EINTR || fault == FAULT_SHORT);
        remove_all(dir);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* The log opens a spare file and gives it its name later. */
START_TEST(an_error_names_the_file_as_it_is_called_now)
    {
        char dir[] = "/tmp/test-disk-faults-XXXXXX";
        struct disk disk = {0};
        struct err err = {0};
        void *file = NULL;
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(disk_posix_open(dir, &disk, NULL), 0);
        ck_assert_int_eq(disk.open(disk.ctx, "spare", true, &file, NULL), 0);
        ck_assert_int_eq(disk.rename(disk.ctx, "spare", "log-7", NULL), 0);
        fault = FAULT_EIO;
        until_fault = 1;
        ck_assert_int_eq(disk.sync(disk.ctx, file, &err), ERR_IO);
        ck_assert_ptr_nonnull(strstr(err.text, "/log-7: fdatasync: Input/output error"));
        disk.close(disk.ctx, file);
        disk_posix_close(&disk);
        remove_all(dir);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("disk_faults");
    TCase *loops = tcase_create("loops");
    tcase_set_timeout(loops, 120);
    tcase_add_loop_test(loops, every_call_may_fail, 0, FAULT_N + 2);
    tcase_add_loop_test(loops, every_call_of_a_start_may_fail, 0, FAULT_N);
    suite_add_tcase(s, loops);
    TEST_CASE(s, "names", 30, an_error_names_the_file_as_it_is_called_now);
    return test_run(s);
}
