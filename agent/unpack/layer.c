/* Two readers in a row: the first only decompresses ("raw" format), so that the uncompressed
 * stream passes through our hands to be hashed and counted; the second reads it as tar. */
#include "agent/unpack/layer.h"

#include "common/base/str.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BLOCK_SIZE   (64 * 1024)
#define TAR_RECORD   512
#define NAME_LEN_MAX 4096
#define WHITEOUT     ".wh."
#define OPAQUE       ".wh..wh..opq"
#define XATTR_OPAQUE "user.overlay.opaque"
#define DISK_FLAGS                                                                                 \
    (ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR | \
     ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_NODOTDOT)

struct unpacker {
    const struct layer_limits *limits;
    struct layer_result *result;
    struct err *err;
    struct archive *raw;
    struct archive *tar;
    struct archive *disk;
    EVP_MD_CTX *md;
    int failed; /* What stopped the stream from our side. */
    bool ended; /* The uncompressed stream. */
    char block[BLOCK_SIZE];
};

static int archive_error(struct unpacker *u, struct archive *a, const char *what)
{
    const char *text = archive_error_string(a);
    if (u->failed != 0) {
        return u->failed;
    }
    return err_set(u->err, archive_errno(a) == ENOSPC ? ERR_FULL : ERR_CORRUPT, "%s: %s", what,
                   text == NULL ? "damaged archive" : text);
}

/* Some tools leave out the padding of the last file and the two empty records of the end; the
 * digest, not the tar reader, tells whether something is missing. Given once, and not hashed. */
static la_ssize_t end_block(struct unpacker *u)
{
    size_t n = TAR_RECORD - u->result->bytes % TAR_RECORD + 2 * TAR_RECORD;
    if (u->ended) {
        return 0;
    }
    u->ended = true;
    memset(u->block, 0, n);
    return (la_ssize_t)n;
}

/* The tar reader asks for more of the uncompressed stream. */
static la_ssize_t pull(struct archive *a, void *data, const void **ret)
{
    struct unpacker *u = data;
    la_ssize_t n = archive_read_data(u->raw, u->block, sizeof u->block);
    (void)a;
    if (n < 0) {
        u->failed = archive_error(u, u->raw, "decompress");
        return -1;
    }
    u->result->bytes += (uint64_t)n;
    if (u->result->bytes > u->limits->bytes_max) {
        u->failed = err_set(u->err, ERR_TOOBIG, "layer exceeds %llu bytes",
                            (unsigned long long)u->limits->bytes_max);
        return -1;
    }
    EVP_DigestUpdate(u->md, u->block, (size_t)n);
    *ret = u->block;
    return n == 0 ? end_block(u) : n;
}

static int open_archives(struct unpacker *u, int fd)
{
    struct archive_entry *e;
    u->raw = archive_read_new();
    u->tar = archive_read_new();
    u->disk = archive_write_disk_new();
    u->md = EVP_MD_CTX_new();
    if (u->raw == NULL || u->tar == NULL || u->disk == NULL || u->md == NULL ||
        EVP_DigestInit_ex(u->md, EVP_sha256(), NULL) != 1) {
        return err_set(u->err, ERR_NOMEM, "unpacker");
    }
    archive_read_support_format_raw(u->raw);
    archive_read_support_format_empty(u->raw);
    archive_read_support_filter_gzip(u->raw);
    archive_read_support_filter_zstd(u->raw);
    archive_read_support_filter_none(u->raw);
    archive_read_support_format_tar(u->tar);
    archive_read_support_format_empty(u->tar);
    archive_write_disk_set_options(u->disk, DISK_FLAGS);
    if (archive_read_open_fd(u->raw, fd, BLOCK_SIZE) != ARCHIVE_OK ||
        archive_read_next_header(u->raw, &e) != ARCHIVE_OK) {
        return archive_error(u, u->raw, "decompress");
    }
    if (archive_read_open(u->tar, u, NULL, pull, NULL) != ARCHIVE_OK) {
        return archive_error(u, u->tar, "tar");
    }
    return 0;
}

/* Strip "/" and "./" in front; refuse ".." anywhere. The root itself becomes ".". */
static int clean_name(struct unpacker *u, const char *name, char *ret)
{
    struct str rest = str_of(name);
    size_t n = 0;
    if (name == NULL || rest.n == 0 || rest.n >= NAME_LEN_MAX) {
        return err_set(u->err, ERR_INVALID, "entry with a name of %zu bytes", rest.n);
    }
    while (rest.n > 0) {
        struct str part = str_cut(rest, '/', &rest);
        if (part.n == 0 || str_eqc(part, ".")) {
            continue;
        }
        if (str_eqc(part, "..")) {
            return err_set(u->err, ERR_INVALID, "entry name with \"..\": %s", name);
        }
        if (n > 0) {
            ret[n++] = '/';
        }
        memcpy(ret + n, part.p, part.n);
        n += part.n;
    }
    if (n == 0) {
        ret[n++] = '.';
    }
    ret[n] = '\0';
    return 0;
}

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

/* Parents that the layer does not list itself. */
static void make_parents(const char *name)
{
    char part[NAME_LEN_MAX];
    size_t n = strlen(name);
    memcpy(part, name, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (part[i] == '/') {
            part[i] = '\0';
            (void)mkdir(part, 0755); /* What goes wrong shows when the entry is made. */
            part[i] = '/';
        }
    }
}

/* name's last component starts with ".wh.". */
static int make_whiteout(struct unpacker *u, char *name)
{
    char *base = name + (base_name(name) - name);
    make_parents(name);
    if (strcmp(base, OPAQUE) == 0) {
        base[0] = '\0';
        if (setxattr(name[0] == '\0' ? "." : name, XATTR_OPAQUE, "y", 1, 0) != 0) {
            return err_set(u->err, ERR_UNSUPPORTED, "mark %s opaque: %s", name, strerror(errno));
        }
        return 0;
    }
    memmove(base, base + strlen(WHITEOUT), strlen(base + strlen(WHITEOUT)) + 1);
    if (base[0] == '\0' || strncmp(base, WHITEOUT, strlen(WHITEOUT)) == 0) {
        return err_set(u->err, ERR_INVALID, "whiteout of nothing");
    }
    if (mknod(name, S_IFCHR, makedev(0, 0)) != 0 && errno != EEXIST) {
        return err_set(u->err, errno == ENOSPC ? ERR_FULL : ERR_IO, "whiteout %s: %s", name,
                       strerror(errno));
    }
    return 0;
}

/* The runtime mounts and writes there: a link would send it elsewhere (CVE-2026-47766). */
static bool must_be_directory(const char *name)
{
    return strcmp(name, "dev") == 0 || strcmp(name, "proc") == 0 || strcmp(name, "sys") == 0 ||
           strcmp(name, "etc") == 0;
}

static int check_type(struct unpacker *u, struct archive_entry *e, const char *name)
{
    mode_t type = archive_entry_filetype(e);
    bool hard_link = archive_entry_hardlink(e) != NULL;
    if (must_be_directory(name) && (hard_link || type != AE_IFDIR)) {
        return err_set(u->err, ERR_INVALID, "/%s is not a directory", name);
    }
    if (strcmp(name, ".") == 0 && (hard_link || type != AE_IFDIR)) {
        return err_set(u->err, ERR_INVALID, "/ is not a directory");
    }
    if (!hard_link && (type == AE_IFCHR || type == AE_IFBLK)) {
        return err_set(u->err, ERR_INVALID, "%s is a device node", name);
    }
    return 0;
}

/* Keep file capabilities and user.*, but not what overlayfs itself believes. */
static void filter_xattrs(struct archive_entry *e)
{
    static const char *const kept = "security.capability";
    struct archive_entry *copy;
    const char *name;
    const void *value;
    size_t n;
    if (archive_entry_xattr_reset(e) == 0 || (copy = archive_entry_clone(e)) == NULL) {
        archive_entry_xattr_clear(e);
        return;
    }
    archive_entry_xattr_clear(e);
    archive_entry_xattr_reset(copy);
    while (archive_entry_xattr_next(copy, &name, &value, &n) == ARCHIVE_OK) {
        if (strcmp(name, kept) == 0 ||
            (strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0)) {
            archive_entry_xattr_add_entry(e, name, value, n);
        }
    }
    archive_entry_free(copy);
}

static int copy_data(struct unpacker *u)
{
    for (;;) {
        const void *block;
        size_t n;
        la_int64_t offset;
        int rv = archive_read_data_block(u->tar, &block, &n, &offset);
        if (rv == ARCHIVE_EOF) {
            return 0;
        }
        if (rv != ARCHIVE_OK) {
            return archive_error(u, u->tar, "tar");
        }
        if (archive_write_data_block(u->disk, block, n, offset) < ARCHIVE_OK) {
            return archive_error(u, u->disk, "write");
        }
    }
}

static int unpack_entry(struct unpacker *u, struct archive_entry *e)
{
    char name[NAME_LEN_MAX];
    char target[NAME_LEN_MAX];
    const char *link = archive_entry_hardlink(e);
    int rv = clean_name(u, archive_entry_pathname(e), name);
    if (rv != 0) {
        return rv;
    }
    if (strncmp(base_name(name), WHITEOUT, strlen(WHITEOUT)) == 0) {
        return make_whiteout(u, name);
    }
    rv = check_type(u, e, name);
    if (rv == 0 && link != NULL) {
        rv = clean_name(u, link, target);
        archive_entry_set_hardlink(e, target);
    }
    if (rv != 0) {
        return rv;
    }
    archive_entry_set_pathname(e, name);
    filter_xattrs(e);
    if (archive_write_header(u->disk, e) < ARCHIVE_WARN) {
        return archive_error(u, u->disk, name);
    }
    if (link == NULL && archive_entry_size(e) > 0) {
        rv = copy_data(u);
    }
    if (rv == 0 && archive_write_finish_entry(u->disk) < ARCHIVE_WARN) {
        rv = archive_error(u, u->disk, name);
    }
    return rv;
}

/* What follows the end of the archive belongs to the digest too. */
static int read_rest(struct unpacker *u)
{
    const void *block;
    la_ssize_t n;
    do {
        n = pull(NULL, u, &block);
    } while (n > 0 && !u->ended);
    return n < 0 ? u->failed : 0;
}

/* Once more at the end: an entry may have reached them by another name, through a link. */
static int check_directories(struct unpacker *u)
{
    static const char *const names[] = {"dev", "proc", "sys", "etc"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat st;
        if (lstat(names[i], &st) == 0 && !S_ISDIR(st.st_mode) && !S_ISCHR(st.st_mode)) {
            return err_set(u->err, ERR_INVALID, "/%s is not a directory", names[i]);
        }
    }
    return 0;
}

static int unpack_all(struct unpacker *u)
{
    int rv;
    for (;;) {
        struct archive_entry *e;
        rv = archive_read_next_header(u->tar, &e);
        if (rv == ARCHIVE_EOF) {
            break;
        }
        if (rv < ARCHIVE_WARN) {
            return archive_error(u, u->tar, "tar");
        }
        if (++u->result->files > u->limits->files_max) {
            return err_set(u->err, ERR_TOOBIG, "layer exceeds %llu files",
                           (unsigned long long)u->limits->files_max);
        }
        rv = unpack_entry(u, e);
        if (rv != 0) {
            return rv;
        }
    }
    if (archive_write_close(u->disk) < ARCHIVE_WARN) {
        return archive_error(u, u->disk, "write");
    }
    rv = check_directories(u);
    return rv != 0 ? rv : read_rest(u);
}

static void digest_hex(struct unpacker *u)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(u->md, md, NULL);
    for (int i = 0; i < LAYER_HEX_LEN / 2; i++) {
        snprintf(u->result->diff_id + 2 * i, 3, "%02x", md[i]);
    }
}

int layer_unpack(int fd, const struct layer_limits *limits, struct layer_result *ret,
                 struct err *err)
{
    struct unpacker u = {.limits = limits, .result = ret, .err = err};
    int rv;
    memset(ret, 0, sizeof *ret);
    rv = open_archives(&u, fd);
    if (rv == 0) {
        rv = unpack_all(&u);
    }
    if (rv == 0) {
        digest_hex(&u);
    }
    archive_read_free(u.tar);
    archive_read_free(u.raw);
    archive_write_free(u.disk);
    EVP_MD_CTX_free(u.md);
    return rv;
}
