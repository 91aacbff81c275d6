/* A layer as a registry may send it, unpacked into an empty directory that is the root of all files
 * meanwhile, as it is for ecs-unpack (so this needs to be root). Afterwards nothing beside that
 * directory has changed, the limits held, and what was unpacked cannot deceive overlayfs or the
 * runtime.
 *
 * libFuzzer reads its corpus and writes what it found with relative names: root and working
 * directory are put back after every layer, and before a crash is reported. */
#include "agent/unpack/layer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILES_MAX   64
#define BYTES_MAX   (1 << 20)
#define RECORD      512
#define SUM_OFFSET  148
#define SUM_LEN     8
#define SIZE_OFFSET 124
#define SIZE_LEN    12
#define CANARY      "as it was"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
void __asan_on_error(void);

static struct {
    char outer[64]; /* Holds "root" and "canary", and nothing else. */
    char root[80];
    char canary[80];
    int real_root; /* Descriptors of what is left and found again. */
    int work_dir;
    bool inside;
    unsigned n_found;
    struct sigaction fuzzer[NSIG];
} place;

/* --- in and out ----------------------------------------------------------------------------------
 */

static void leave(void)
{
    if (place.inside) {
        place.inside = false;
        if (fchdir(place.real_root) != 0 || chroot(".") != 0 || fchdir(place.work_dir) != 0) {
            _exit(99);
        }
    }
}

void __asan_on_error(void)
{
    leave();
}

/* The alarm comes back from libFuzzer, and the layer goes on: never outside. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    int at = place.inside ? open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool back = place.inside;
    leave();
    place.fuzzer[number].sa_sigaction(number, info, context);
    if (back) {
        if (at < 0 || chroot(place.root) != 0 || fchdir(at) != 0) {
            _exit(99);
        }
        place.inside = true;
        close(at);
    }
    errno = error;
}

/* Too late for LLVMFuzzerInitialize(): libFuzzer sets its handlers after that. */
static void wrap_signal(int number)
{
    struct sigaction mine = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    if (sigaction(number, NULL, &place.fuzzer[number]) != 0 ||
        (place.fuzzer[number].sa_flags & SA_SIGINFO) == 0) {
        return; /* None: a run of one file. */
    }
    (void)sigaction(number, &mine, NULL);
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
    leave();
    (void)nftw(place.outer, erase, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_canary(void)
{
    int fd = open(place.canary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, CANARY, sizeof CANARY) != (ssize_t)sizeof CANARY) {
        abort();
    }
    close(fd);
}

static void set_up(void)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(place.outer, sizeof place.outer, "%.40s/fuzz-layer-XXXXXX",
                   tmp == NULL ? "/tmp" : tmp);
    if (geteuid() != 0 || mkdtemp(place.outer) == NULL) {
        fprintf(stderr, "fuzz_layer: must be root, and needs a directory in TMPDIR or /tmp\n");
        exit(2);
    }
    (void)snprintf(place.root, sizeof place.root, "%s/root", place.outer);
    (void)snprintf(place.canary, sizeof place.canary, "%s/canary", place.outer);
    place.real_root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    place.work_dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place.real_root < 0 || place.work_dir < 0) {
        abort();
    }
    write_canary();
    (void)atexit(clean_up);
    wrap_signal(SIGABRT);
    wrap_signal(SIGALRM);
}

static void enter(void)
{
    if (place.outer[0] == '\0') {
        set_up();
    }
    if (mkdir(place.root, 0755) != 0 || chdir(place.root) != 0 || chroot(".") != 0) {
        abort();
    }
    place.inside = true;
}

/* --- what must hold --------------------------------------------------------------------------- */

/* Attributes with which a layer would forge what overlayfs believes. */
static void check_attributes(const char *path)
{
    static const char *const forged[] = {"trusted.overlay.opaque", "trusted.overlay.redirect",
                                         "user.overlay.redirect", "user.overlay.whiteout",
                                         "user.overlay.metacopy"};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        if (lgetxattr(path, forged[i], NULL, 0) >= 0) {
            abort();
        }
    }
}

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)type;
    (void)at;
    place.n_found++;
    if (S_ISBLK(st->st_mode) || (S_ISCHR(st->st_mode) && st->st_rdev != makedev(0, 0))) {
        abort(); /* No device but whiteouts. */
    }
    if (S_ISREG(st->st_mode) && st->st_blocks * 512 > 4 * BYTES_MAX) {
        abort();
    }
    check_attributes(path);
    return 0;
}

static unsigned count_names(const char *dir)
{
    place.n_found = 0;
    (void)nftw(dir, look, 16, FTW_PHYS);
    return place.n_found;
}

static void check_canary(void)
{
    char text[32] = "";
    int fd = open(place.canary, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    assert(n == (ssize_t)sizeof CANARY && memcmp(text, CANARY, sizeof CANARY) == 0);
    close(fd);
}

/* The runtime mounts and writes there. */
static void check_directories(void)
{
    static const char *const names[] = {"dev", "proc", "sys", "etc"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/%s", place.root, names[i]);
        if (lstat(path, &st) == 0) {
            assert(S_ISDIR(st.st_mode) || S_ISCHR(st.st_mode));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct layer_limits limits = {.bytes_max = BYTES_MAX, .files_max = FILES_MAX};
    struct layer_result result = {0};
    struct err err = {0};
    int rv;
    int fd = memfd_create("layer", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0) {
        abort();
    }
    enter();
    rv = layer_unpack(fd, &limits, &result, &err);
    leave();
    close(fd);
    if (rv == 0) {
        assert(result.files <= FILES_MAX && result.bytes <= limits.bytes_max);
        assert(strlen(result.diff_id) == LAYER_HEX_LEN);
        check_directories();
    } else {
        assert(err.text[0] != '\0');
    }
    check_canary();
    assert(count_names(place.outer) == count_names(place.root) + 2); /* Itself and the canary. */
    (void)nftw(place.root, erase, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* --- mutations that get past the checksum of a header
 * ---------------------------------------------
 */

static size_t content_len(const uint8_t *header)
{
    size_t n = 0;
    for (size_t i = SIZE_OFFSET; i < SIZE_OFFSET + SIZE_LEN; i++) {
        if (header[i] >= '0' && header[i] <= '7' && n < BYTES_MAX) {
            n = n * 8 + (size_t)(header[i] - '0');
        }
    }
    return n;
}

static void set_sum(uint8_t *header)
{
    char text[SUM_LEN + 1];
    unsigned sum = 0;
    memset(header + SUM_OFFSET, ' ', SUM_LEN);
    for (size_t i = 0; i < RECORD; i++) {
        sum += header[i];
    }
    (void)snprintf(text, sizeof text, "%06o", sum);
    memcpy(header + SUM_OFFSET, text, SUM_LEN - 1); /* With its NUL; the last byte is a space. */
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    static const uint8_t none[RECORD];
    size_t n = LLVMFuzzerMutate(data, size, size_max);
    size_t at = 0;
    if (seed % 8 == 0 || n < RECORD || data[0] == 0x1f || data[0] == 0x28) {
        return n; /* Compressed, or wrong on purpose. */
    }
    while (at + RECORD <= n) {
        uint8_t *header = data + at;
        if (memcmp(header, none, RECORD) != 0) {
            set_sum(header);
            at += (content_len(header) + RECORD - 1) / RECORD * RECORD;
        }
        at += RECORD;
    }
    return n;
}
