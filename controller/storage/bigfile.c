#include "controller/storage/bigfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DISCARD_SLICE                                                                      \
    (8 * BIGFILE_SLICE)             /* Blocks are given back faster than they are written. \
                                     */
#define DISCARD_REST_NS 20000000l   /* 20 ms: the log syncs meanwhile, and with it this. */
#define REST_MAX_NS     100000000ll /* 100 ms. */

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* As long as the work took that began then. */
static void rest(int64_t began_ns)
{
    int64_t ns = now_ns() - began_ns;
    struct timespec t = {0, (long)(ns < REST_MAX_NS ? ns : REST_MAX_NS)};
    (void)nanosleep(&t, NULL);
}

int bigfile_write_out(int fd, uint64_t size, struct err *err)
{
    const unsigned all =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    for (uint64_t at = 0; at < size; at += BIGFILE_SLICE) {
        int64_t began_ns = now_ns();
        if (sync_file_range(fd, (off_t)at, (off_t)BIGFILE_SLICE, all) != 0) {
            bool unable = errno == ENOSYS || errno == EINVAL || errno == ESPIPE;
            return unable ? 0 : err_set(err, ERR_IO, "sync_file_range: %s", strerror(errno));
        }
        rest(began_ns);
    }
    return 0;
}

/* Without a sync of its own, which would first write what is still in the page cache only. */
void bigfile_discard(int fd)
{
    static const struct timespec pause = {0, DISCARD_REST_NS};
    struct stat st;
    uint64_t left = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    while (left > DISCARD_SLICE) {
        left -= DISCARD_SLICE;
        if (ftruncate(fd, (off_t)left) != 0) {
            break; /* Nobody reads it again. */
        }
        (void)nanosleep(&pause, NULL);
    }
    (void)close(fd);
}
