/* Slices leave a file as it was, and give back all of it. */
#include "controller/storage/bigfile.h"
#include "tests/unit/controller/storage/scratch.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE ((size_t)33 * 1048576 + 17) /* Some slices of both kinds, and a piece. */

static int make(char path[SCRATCH_LEN + 8], uint8_t *bytes)
{
    char dir[SCRATCH_LEN];
    int fd;
    scratch_dir(dir);
    (void)snprintf(path, SCRATCH_LEN + 8, "%s/big", dir);
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, SIZE), (ssize_t)SIZE);
    return fd;
}

START_TEST(what_is_written_out_is_unchanged)
    {
        char path[SCRATCH_LEN + 8];
        uint8_t *bytes = malloc(SIZE);
        uint8_t *read_back = malloc(SIZE);
        struct err err = {0};
        int fd = make(path, bytes);
        ck_assert_int_eq(bigfile_write_out(fd, SIZE, &err), 0);
        ck_assert_int_eq(pread(fd, read_back, SIZE, 0), (ssize_t)SIZE);
        ck_assert_int_eq(memcmp(bytes, read_back, SIZE), 0);
        (void)close(fd);
        free(bytes);
        free(read_back);
    }
END_TEST

START_TEST(errors_of_the_disk_are_told_and_what_has_no_disk_is_left_alone)
    {
        struct err err = {0};
        int ends[2];
        ck_assert_int_eq(bigfile_write_out(-1, 1, &err), ERR_IO);
        ck_assert_ptr_nonnull(strstr(err.text, "sync_file_range"));
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(bigfile_write_out(ends[0], 1, NULL), 0);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
END_TEST

START_TEST(what_is_discarded_is_closed_and_gives_back_its_blocks)
    {
        char path[SCRATCH_LEN + 8];
        uint8_t *bytes = malloc(SIZE);
        struct stat st;
        int fd = make(path, bytes);
        bigfile_discard(fd);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_lt((size_t)st.st_size, SIZE);
        free(bytes);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("bigfile");
    TEST_CASE(s, "slices", 60, what_is_written_out_is_unchanged,
              errors_of_the_disk_are_told_and_what_has_no_disk_is_left_alone,
              what_is_discarded_is_closed_and_gives_back_its_blocks);
    return scratch_run(s);
}
