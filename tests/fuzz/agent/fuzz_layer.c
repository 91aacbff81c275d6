/* A layer as a registry may send it: unpacked into a scratch directory, nothing outside of it is
 * touched, the limits hold, and no device node or link in a forbidden place is left. */
#include "agent/unpack/layer.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char outer[64]; /* Holds "root" and nothing else. */
static unsigned n_found;

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path;
    (void)at;
    n_found++;
    if (type == FTW_F && S_ISBLK(st->st_mode)) {
        abort();
    }
    if (S_ISCHR(st->st_mode) && st->st_rdev != makedev(0, 0)) {
        abort(); /* Only whiteouts. */
    }
    return 0;
}

static int erase(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)remove(path);
    return 0;
}

static void clean_up(void)
{
    (void)nftw(outer, erase, 16, FTW_DEPTH | FTW_PHYS);
}

static void enter(void)
{
    char root[80];
    if (outer[0] == '\0') {
        (void)snprintf(outer, sizeof outer, "/tmp/fuzz-layer-XXXXXX");
        if (mkdtemp(outer) == NULL) {
            abort();
        }
        (void)atexit(clean_up);
    }
    (void)snprintf(root, sizeof root, "%s/root", outer);
    if (mkdir(root, 0700) != 0 || chdir(root) != 0) {
        abort();
    }
}

static unsigned count_names(const char *dir)
{
    n_found = 0;
    (void)nftw(dir, look, 16, FTW_PHYS);
    return n_found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct layer_limits limits = {.bytes_max = 1 << 20, .files_max = FILES_MAX};
    struct layer_result result = {0};
    struct err err = {0};
    char root[80];
    int fd = memfd_create("layer", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0) {
        abort();
    }
    enter();
    if (layer_unpack(fd, &limits, &result, &err) == 0) {
        assert(result.files <= FILES_MAX && result.bytes <= limits.bytes_max);
        assert(strlen(result.diff_id) == LAYER_HEX_LEN);
    } else {
        assert(err.text[0] != '\0');
    }
    close(fd);
    if (chdir(outer) != 0) {
        abort();
    }
    (void)snprintf(root, sizeof root, "%s/root", outer);
    assert(count_names(outer) == count_names(root) + 1); /* Nothing beside it. */
    (void)nftw(root, erase, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
