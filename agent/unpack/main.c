/* ecs-unpack: one image layer from stdin into a directory, in a sandbox.
 *
 *   ecs-unpack DIRECTORY BYTES_MAX FILES_MAX < LAYER
 *
 * On success prints "sha256:DIFF_ID BYTES FILES" and has everything on disk. On failure the reason
 * is on stderr, the exit status 1, and the directory's content worthless. */
#include "agent/unpack/layer.h"
#include "agent/unpack/sandbox.h"

#include "common/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer makes a process at the end, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* Lazy work of libcrypto (configuration, provider lookup) while its files can still be seen. */
static int warm_up(struct err *err)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    return EVP_Digest("", 0, md, NULL, EVP_sha256(), NULL) == 1
               ? 0
               : err_set(err, ERR_INTERNAL, "libcrypto has no SHA-256");
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct layer_limits limits;
    struct layer_result result;
    int rv;
    if (argc != 4 || !str_u64(str_of(argv[2]), &limits.bytes_max) ||
        !str_u64(str_of(argv[3]), &limits.files_max)) {
        fprintf(stderr, "usage: ecs-unpack DIRECTORY BYTES_MAX FILES_MAX < LAYER\n");
        return 2;
    }
    umask(0);
    rv = warm_up(&err);
    if (rv == 0) {
        rv = sandbox_enter(argv[1], NOBODY, &err);
    }
    if (rv == 0) {
        rv = layer_unpack(STDIN_FILENO, &limits, &result, &err);
    }
    if (rv == 0) {
        int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || syncfs(fd) != 0) {
            rv = err_set(&err, ERR_IO, "sync: %s", strerror(errno));
        }
    }
    if (rv != 0) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    printf("sha256:%s %llu %llu\n", result.diff_id, (unsigned long long)result.bytes,
           (unsigned long long)result.files);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
