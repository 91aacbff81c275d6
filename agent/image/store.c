/* skopeo does transport, authentication and the choice of a platform, and puts blobs straight
 * into our content store, where it finds those it need not fetch again. What it brought is then
 * checked against its digests here before anything looks inside.
 *
 * Crash safety: a blob is checked at each use, so a torn one is found and fetched again; a layer
 * is synced by ecs-unpack and appears by rename; a reference record is written last, durably. */
#include "agent/image/store.h"

#include "agent/image/ref.h"
#include "agent/proc/files.h"
#include "agent/proc/spawn.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FETCH_TIMEOUT_MS  (30u * 60 * 1000)
#define UNPACK_TIMEOUT_MS (30u * 60 * 1000)
#define LAYER_BYTES_MAX   (20ull << 30)
#define LAYER_FILES_MAX   1000000ull
#define RECORD_MAX        4096
#define HEX_LEN           64

static uint64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The three texts in a row. */
static int path_make(char ret[PATH_MAX], const char *a, const char *b, const char *c,
                     struct err *err)
{
    int n = snprintf(ret, PATH_MAX, "%s%s%s", a, b, c);
    return n >= 0 && n < PATH_MAX ? 0 : err_set(err, ERR_TOOBIG, "path too long: %s", ret);
}

static void hex(const unsigned char *md, unsigned n, char *ret)
{
    for (unsigned i = 0; i < n; i++) {
        snprintf(ret + 2 * (size_t)i, 3, "%02x", md[i]);
    }
}

static void sha256_hex(const void *bytes, size_t n, char ret[HEX_LEN + 1])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    int ok = EVP_Digest(bytes, n, md, NULL, EVP_sha256(), NULL);
    assert(ok == 1);
    hex(md, HEX_LEN / 2, ret);
}

/* --- blobs -------------------------------------------------------------------------------------
 */

static int blob_path(const char *dir, const char *digest, char ret[PATH_MAX], struct err *err)
{
    assert(oci_digest_ok(str_of(digest)));
    return path_make(ret, dir, "/blobs/sha256/", oci_digest_hex(digest), err);
}

/* The content of a small blob, checked. */
static int blob_read(const char *dir, const char *digest, struct buf *to, struct err *err)
{
    char path[PATH_MAX];
    char actual[HEX_LEN + 1];
    int rv = blob_path(dir, digest, path, err);
    if (rv == 0) {
        rv = file_read(AT_FDCWD, path, to, err);
    }
    if (rv != 0) {
        return rv;
    }
    sha256_hex(to->data, to->len, actual);
    if (strcmp(actual, oci_digest_hex(digest)) != 0) {
        unlink(path); /* Torn by a crash, or damaged: fetch it again next time. */
        return err_set(err, ERR_CORRUPT, "blob %s has other content", digest);
    }
    return 0;
}

static int hash_fd(int fd, const atomic_bool *canceled, char ret[HEX_LEN + 1], uint64_t *ret_size,
                   struct err *err)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned char block[16384];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ssize_t n = 0;
    int rv = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
                 ? 0
                 : err_set(err, ERR_NOMEM, "digest");
    *ret_size = 0;
    while (rv == 0 && (n = read(fd, block, sizeof block)) > 0) {
        EVP_DigestUpdate(ctx, block, (size_t)n);
        *ret_size += (uint64_t)n;
        if (canceled != NULL && atomic_load(canceled)) {
            rv = err_set(err, ERR_CANCELED, "canceled");
        }
    }
    if (rv == 0 && n < 0) {
        rv = err_set(err, ERR_IO, "read: %s", strerror(errno));
    }
    if (rv == 0) {
        EVP_DigestFinal_ex(ctx, md, NULL);
        hex(md, HEX_LEN / 2, ret);
    }
    EVP_MD_CTX_free(ctx);
    return rv;
}

/* Open a blob at its start after checking all of it. */
static int blob_open(const char *dir, const struct oci_blob *blob, const atomic_bool *canceled,
                     int *ret, struct err *err)
{
    char path[PATH_MAX];
    char actual[HEX_LEN + 1] = "";
    uint64_t size = 0;
    int fd;
    int rv = blob_path(dir, blob->digest, path, err);
    if (rv != 0) {
        return rv;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_set(err, ERR_NOTFOUND, "blob %s: %s", blob->digest, strerror(errno));
    }
    rv = hash_fd(fd, canceled, actual, &size, err);
    if (rv == 0 && (size != blob->size || strcmp(actual, oci_digest_hex(blob->digest)) != 0)) {
        unlink(path);
        rv = err_set(err, ERR_CORRUPT, "blob %s has other content", blob->digest);
    }
    if (rv == 0 && lseek(fd, 0, SEEK_SET) != 0) {
        rv = err_set(err, ERR_IO, "seek: %s", strerror(errno));
    }
    if (rv != 0) {
        close(fd);
        return rv;
    }
    *ret = fd;
    return 0;
}

/* --- images ------------------------------------------------------------------------------------
 */

static int layer_path(const char *dir, const char *diff_id, char ret[PATH_MAX], struct err *err)
{
    char name[IMAGE_LAYER_NAME + 1];
    str_copy(name, sizeof name, str_make(oci_digest_hex(diff_id), IMAGE_LAYER_NAME));
    return path_make(ret, dir, "/layers/", name, err);
}

static int load_config(const char *dir, const char *id, struct arena *arena, struct oci_config *ret,
                       struct err *err)
{
    struct buf b;
    int rv;
    if (!oci_digest_ok(str_of(id))) {
        return err_set(err, ERR_INVALID, "image id %s is not a sha256 digest", id);
    }
    buf_init(&b, sysmem(), OCI_DOCUMENT_MAX);
    rv = blob_read(dir, id, &b, err);
    if (rv == 0) {
        rv = oci_config_parse(str_make((const char *)b.data, b.len), arena, ret, err);
    }
    buf_close(&b);
    return rv;
}

int image_load(const char *dir, const char *id, struct arena *arena, struct image *ret,
               struct err *err)
{
    struct image image = {0};
    char *lower;
    int rv = load_config(dir, id, arena, &image.config, err);
    if (rv == ERR_NOTFOUND) {
        return err_set(err, rv, "image %s is not on this node", id);
    }
    if (rv != 0) {
        return err_wrap(err, rv, "image %s", id);
    }
    lower = arena_alloc(arena, image.config.n_diff_ids * (size_t)(IMAGE_LAYER_NAME + 1));
    image.lower = lower;
    for (uint32_t i = image.config.n_diff_ids; i > 0; i--) {
        const char *diff_id = image.config.diff_ids[i - 1];
        char path[PATH_MAX];
        rv = layer_path(dir, diff_id, path, err);
        if (rv != 0) {
            return rv;
        }
        if (access(path, F_OK) != 0) {
            return err_set(err, ERR_NOTFOUND, "image %s: layer %s is not here", id, diff_id);
        }
        memcpy(lower, oci_digest_hex(diff_id), IMAGE_LAYER_NAME);
        lower += IMAGE_LAYER_NAME;
        *lower++ = i > 1 ? ':' : '\0';
    }
    *ret = image;
    return 0;
}

/* --- records of references ----------------------------------------------------------------------
 */

struct record {
    struct exec_image image;
    uint64_t size;
    uint64_t used_ms;
};

static int record_path(const char *dir, const char *reference, char ret[PATH_MAX], struct err *err)
{
    char name[HEX_LEN + 1];
    sha256_hex(reference, strlen(reference), name);
    return path_make(ret, dir, "/refs/", name, err);
}

static int record_parse(struct str text, struct record *ret, struct err *err)
{
    struct record r = {0};
    json_t *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    const char *manifest = json_string_value(json_object_get(root, "manifest"));
    const char *id = json_string_value(json_object_get(root, "id"));
    int rv = 0;
    if (manifest == NULL || id == NULL || !oci_digest_ok(str_of(manifest)) ||
        !oci_digest_ok(str_of(id))) {
        rv = err_set(err, ERR_CORRUPT, "image record is damaged");
    } else {
        memcpy(r.image.manifest, manifest, strlen(manifest));
        memcpy(r.image.id, id, strlen(id));
        r.size = (uint64_t)json_integer_value(json_object_get(root, "size"));
        r.used_ms = (uint64_t)json_integer_value(json_object_get(root, "used_ms"));
        *ret = r;
    }
    json_decref(root);
    return rv;
}

static int record_read(const char *path, struct record *ret, struct err *err)
{
    struct buf b;
    int rv;
    buf_init(&b, sysmem(), RECORD_MAX);
    rv = file_read(AT_FDCWD, path, &b, err);
    if (rv == 0) {
        rv = record_parse(str_make((const char *)b.data, b.len), ret, err);
    }
    buf_close(&b);
    return rv;
}

static int record_write(const char *dir, const char *reference, const struct record *r,
                        bool durable, struct err *err)
{
    char path[PATH_MAX];
    char *text;
    json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I}", "reference", reference, "manifest",
                             r->image.manifest, "id", r->image.id, "size", (json_int_t)r->size,
                             "used_ms", (json_int_t)r->used_ms);
    int rv = record_path(dir, reference, path, err);
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (rv == 0 && text == NULL) {
        rv = err_set(err, ERR_NOMEM, "image record");
    }
    if (rv == 0) {
        rv = file_write(AT_FDCWD, path, text, strlen(text), 0600, durable, err);
    }
    free(text);
    return rv;
}

/* The node's own copy of a reference, if every layer is there. */
static int from_cache(const struct store_pull *p, struct store_result *ret, struct err *err)
{
    struct arena arena;
    struct image image;
    struct record r;
    char path[PATH_MAX];
    int rv = record_path(p->options->dir, p->reference, path, err);
    if (rv == 0) {
        rv = record_read(path, &r, err);
    }
    if (rv != 0) {
        return rv;
    }
    arena_init(&arena, sysmem());
    rv = image_load(p->options->dir, r.image.id, &arena, &image, err);
    arena_close(&arena);
    if (rv != 0) {
        return rv;
    }
    ret->image = r.image;
    ret->size = r.size;
    ret->from_cache = true;
    r.used_ms = wall_ms();
    return record_write(p->options->dir, p->reference, &r, false, err);
}

/* --- pull --------------------------------------------------------------------------------------
 */

static bool is_insecure(const struct images_options *o, struct str host)
{
    for (uint32_t i = 0; i < o->n_insecure; i++) {
        if (str_eqc(host, o->insecure[i])) {
            return true;
        }
    }
    return false;
}

/* A file for skopeo's --authfile: on the command line everybody could read the password. */
static int write_auth(const struct store_pull *p, struct str host, const char *path,
                      struct err *err)
{
    unsigned char coded[2048];
    char plain[1024];
    char name[REF_MAX + 1];
    char *text;
    json_t *root;
    int rv;
    int n =
        snprintf(plain, sizeof plain, "%s:%s", p->username, p->password == NULL ? "" : p->password);
    if (n < 0 || (size_t)n >= sizeof plain) {
        return err_set(err, ERR_TOOBIG, "registry credentials are too long");
    }
    EVP_EncodeBlock(coded, (const unsigned char *)plain, n);
    explicit_bzero(plain, sizeof plain);
    str_copy(name, sizeof name, host.n == 0 ? STR("docker.io") : host);
    root = json_pack("{s:{s:{s:s}}}", "auths", name, "auth", (const char *)coded);
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    rv = text == NULL ? err_set(err, ERR_INVALID, "registry credentials are not UTF-8")
                      : file_write(AT_FDCWD, path, text, strlen(text), 0600, false, err);
    free(text);
    return rv;
}

/* "docker://host/path:tag" or "...@digest": skopeo takes no name with both. */
static void source_name(const struct ref *ref, const char *reference, char *ret, size_t size)
{
    if (ref->digest.n > 0) {
        size_t n = (size_t)(ref->path.p + ref->path.n - reference);
        snprintf(ret, size, "docker://%.*s@%.*s", (int)n, reference, STR_ARG(ref->digest));
    } else {
        snprintf(ret, size, "docker://%s", reference);
    }
}

/* skopeo's last words, without its log frame: time="..." level=fatal msg="THIS". */
static void shorten(struct err *err)
{
    char *msg = strstr(err->text, "msg=\"");
    size_t n;
    if (msg == NULL) {
        return;
    }
    msg += strlen("msg=\"");
    n = strlen(msg);
    if (n > 0 && msg[n - 1] == '"') {
        n--;
    }
    memmove(err->text, msg, n);
    err->text[n] = '\0';
}

static int fetch(const struct store_pull *p, const struct ref *ref, const char *tmp,
                 struct err *err)
{
    char source[REF_MAX + 16];
    char target[PATH_MAX];
    char blobs[PATH_MAX];
    char auth[PATH_MAX];
    const char *argv[16] = {p->options->skopeo, "copy", "--insecure-policy", "--quiet",
                            "--dest-shared-blob-dir"};
    struct spawn s = {.argv = argv,
                      .in = -1,
                      .extra = -1,
                      .timeout_ms = FETCH_TIMEOUT_MS,
                      .canceled = p->canceled};
    unsigned n = 5;
    int rv = path_make(target, "oci:", tmp, "/image:pulled", err);
    if (rv != 0 || (rv = path_make(blobs, p->options->dir, "/blobs", "", err)) != 0 ||
        (rv = path_make(auth, tmp, "/auth.json", "", err)) != 0) {
        return rv;
    }
    argv[n++] = blobs;
    if (is_insecure(p->options, ref->host)) {
        argv[n++] = "--src-tls-verify=false";
    }
    if (p->username != NULL) {
        rv = write_auth(p, ref->host, auth, err);
        argv[n++] = "--authfile";
        argv[n++] = auth;
    } else {
        argv[n++] = "--src-no-creds";
    }
    source_name(ref, p->reference, source, sizeof source);
    argv[n++] = source;
    argv[n++] = target;
    if (rv == 0) {
        rv = spawn_check(&s, err);
        shorten(err);
    }
    unlink(auth);
    return rv;
}

/* Which manifest skopeo stored, and what it says. */
static int read_manifest(const struct store_pull *p, const char *tmp, struct arena *arena,
                         struct oci_blob *ret_blob, struct oci_manifest *ret, struct err *err)
{
    char path[PATH_MAX];
    struct buf b;
    int rv = path_make(path, tmp, "/image/index.json", "", err);
    if (rv != 0) {
        return rv;
    }
    buf_init(&b, sysmem(), OCI_DOCUMENT_MAX);
    rv = file_read(AT_FDCWD, path, &b, err);
    if (rv == 0) {
        rv = oci_index_parse(str_make((const char *)b.data, b.len), ret_blob, err);
    }
    buf_clear(&b);
    if (rv == 0) {
        rv = blob_read(p->options->dir, ret_blob->digest, &b, err);
    }
    if (rv == 0) {
        rv = oci_manifest_parse(str_make((const char *)b.data, b.len), arena, ret, err);
    }
    buf_close(&b);
    return rv;
}

/* Run ecs-unpack on a checked blob; its answer must be the diff id the configuration promises. */
static int run_unpack(const struct store_pull *p, int blob, const char *to, const char *diff_id,
                      struct err *err)
{
    const struct images_options *o = p->options;
    char bytes[32];
    char files[32];
    const char *argv[] = {o->unpack, to, bytes, files, NULL};
    struct buf out;
    struct spawn s = {.argv = argv,
                      .in = blob,
                      .extra = -1,
                      .out = &out,
                      .timeout_ms = UNPACK_TIMEOUT_MS,
                      .canceled = p->canceled};
    int rv;
    snprintf(bytes, sizeof bytes, "%llu",
             (unsigned long long)(o->layer_bytes_max == 0 ? LAYER_BYTES_MAX : o->layer_bytes_max));
    snprintf(files, sizeof files, "%llu",
             (unsigned long long)(o->layer_files_max == 0 ? LAYER_FILES_MAX : o->layer_files_max));
    buf_init(&out, sysmem(), 256);
    rv = spawn_check(&s, err);
    if (rv == 0 && (out.len < strlen(diff_id) || memcmp(out.data, diff_id, strlen(diff_id)) != 0)) {
        rv = err_set(err, ERR_CORRUPT, "layer %s unpacks to other content", diff_id);
    }
    buf_close(&out);
    return rv;
}

static int unpack_layer(const struct store_pull *p, const struct oci_blob *blob,
                        const char *diff_id, const char *tmp, struct err *err)
{
    char final[PATH_MAX];
    char work[PATH_MAX];
    int fd = -1;
    int rv = layer_path(p->options->dir, diff_id, final, err);
    if (rv != 0 || access(final, F_OK) == 0) {
        return rv;
    }
    rv = path_make(work, tmp, "/layer", "", err);
    if (rv == 0) {
        rv = dir_make(work, 0755, err);
    }
    if (rv == 0 && chmod(work, 0755) != 0) { /* The container's root, if the layer names none. */
        rv = err_set(err, ERR_IO, "chmod %s: %s", work, strerror(errno));
    }
    if (rv == 0) {
        rv = blob_open(p->options->dir, blob, p->canceled, &fd, err);
    }
    if (rv == 0) {
        rv = run_unpack(p, fd, work, diff_id, err);
        close(fd);
    }
    /* Somebody else may have unpacked the same layer meanwhile; his is as good. */
    if (rv == 0 && rename(work, final) != 0 && errno != ENOTEMPTY && errno != EEXIST) {
        rv = err_set(err, ERR_IO, "rename %s: %s", work, strerror(errno));
    }
    (void)dir_remove(AT_FDCWD, work, NULL);
    return rv;
}

static int unpack_layers(const struct store_pull *p, const struct oci_manifest *m, const char *tmp,
                         struct arena *arena, struct err *err)
{
    struct oci_config config = {0};
    int rv = load_config(p->options->dir, m->config.digest, arena, &config, err);
    if (rv != 0) {
        return rv;
    }
    if (config.n_diff_ids != m->n_layers) {
        return err_set(err, ERR_INVALID, "image has %u layers and %u diff ids", m->n_layers,
                       config.n_diff_ids);
    }
    for (uint32_t i = 0; rv == 0 && i < m->n_layers; i++) {
        rv = unpack_layer(p, &m->layers[i], config.diff_ids[i], tmp, err);
        if (rv != 0) {
            err_wrap(err, rv, "layer %u", i);
        }
    }
    return rv;
}

static int fetch_and_unpack(const struct store_pull *p, const struct ref *ref, const char *tmp,
                            struct store_result *ret, struct err *err)
{
    struct arena arena;
    struct oci_blob blob;
    struct oci_manifest m;
    struct record r = {.used_ms = wall_ms()};
    int rv = fetch(p, ref, tmp, err);
    if (rv != 0) {
        return rv;
    }
    arena_init(&arena, sysmem());
    rv = read_manifest(p, tmp, &arena, &blob, &m, err);
    if (rv == 0) {
        rv = unpack_layers(p, &m, tmp, &arena, err);
    }
    if (rv == 0) {
        memcpy(r.image.manifest, blob.digest, sizeof r.image.manifest);
        memcpy(r.image.id, m.config.digest, sizeof r.image.id);
        r.size = m.layers_size;
        rv = record_write(p->options->dir, p->reference, &r, true, err);
    }
    arena_close(&arena);
    if (rv == 0) {
        ret->image = r.image;
        ret->size = r.size;
        ret->from_cache = false;
    }
    return rv;
}

static int pull_remote(const struct store_pull *p, const struct ref *ref, struct store_result *ret,
                       struct err *err)
{
    char tmp[PATH_MAX];
    char number[24];
    int rv;
    snprintf(number, sizeof number, "%llu", (unsigned long long)p->number);
    rv = path_make(tmp, p->options->dir, "/tmp/", number, err);
    if (rv == 0) {
        rv = dir_make(tmp, 0700, err);
    }
    if (rv == 0) {
        rv = fetch_and_unpack(p, ref, tmp, ret, err);
        (void)dir_remove(AT_FDCWD, tmp, NULL);
    }
    return rv;
}

int store_pull(const struct store_pull *p, struct store_result *ret, struct err *err)
{
    struct ref ref;
    struct err why = {0};
    int rv = ref_parse(str_of(p->reference), &ref, err);
    if (rv != 0) {
        return rv;
    }
    if (ref_host_is_local(ref.host) && !is_insecure(p->options, ref.host)) {
        return err_set(err, ERR_DENIED,
                       "image %s: local registries must be named by --insecure-registry",
                       p->reference);
    }
    if (p->policy == EXEC_PULL_ONCE && from_cache(p, ret, NULL) == 0) {
        return 0;
    }
    rv = pull_remote(p, &ref, ret, &why);
    if (rv == 0) {
        return 0;
    }
    if (p->policy != EXEC_PULL_STRICT && rv != ERR_CANCELED && from_cache(p, ret, NULL) == 0) {
        return 0;
    }
    return err_set(err, rv, "pull %s: %s", p->reference, why.text);
}

/* --- open and collect ---------------------------------------------------------------------------
 */

int store_open(const char *dir, struct err *err)
{
    static const char *const parts[] = {"blobs/sha256", "layers", "refs", "tmp"};
    char path[PATH_MAX];
    int rv = path_make(path, dir, "/tmp", "", err);
    if (rv == 0) {
        rv = dir_remove(AT_FDCWD, path, err);
    }
    for (size_t i = 0; rv == 0 && i < sizeof parts / sizeof parts[0]; i++) {
        rv = path_make(path, dir, "/", parts[i], err);
        if (rv == 0) {
            rv = dir_make(path, 0700, err);
        }
    }
    return rv;
}

/* A set of names, gathered, then sorted, then asked. */
struct names {
    char (*list)[HEX_LEN + 1];
    size_t n;
    size_t cap;
};

static int names_add(struct names *s, const char *name, size_t len, struct err *err)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 64 : 2 * s->cap;
        char(*list)[HEX_LEN + 1] = realloc(s->list, cap * sizeof *list);
        if (list == NULL) {
            return err_set(err, ERR_NOMEM, "image collection");
        }
        s->list = list;
        s->cap = cap;
    }
    memcpy(s->list[s->n], name, len);
    s->list[s->n][len] = '\0';
    s->n++;
    return 0;
}

static int names_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void names_sort(struct names *s)
{
    if (s->n > 0) {
        qsort(s->list, s->n, sizeof *s->list, names_cmp);
    }
}

static bool names_has(const struct names *s, const char *name)
{
    return s->n > 0 && bsearch(name, s->list, s->n, sizeof *s->list, names_cmp) != NULL;
}

struct gc {
    const char *dir;
    uint64_t before_ms;
    struct names blobs;  /* Needed. */
    struct names layers; /* Needed. */
};

/* The image with this id stays: its configuration and layers do. */
static int mark(struct gc *g, const char *id, struct err *err)
{
    struct arena arena;
    struct oci_config c = {0};
    int rv = names_add(&g->blobs, oci_digest_hex(id), HEX_LEN, err);
    arena_init(&arena, sysmem());
    if (rv == 0 && load_config(g->dir, id, &arena, &c, NULL) == 0) {
        for (uint32_t i = 0; rv == 0 && i < c.n_diff_ids; i++) {
            rv = names_add(&g->layers, oci_digest_hex(c.diff_ids[i]), IMAGE_LAYER_NAME, err);
        }
    }
    arena_close(&arena);
    return rv;
}

/* Also its manifest and compressed layers, so that a pull need not fetch them again. */
static int mark_manifest(struct gc *g, const char *manifest, struct err *err)
{
    struct arena arena;
    struct oci_manifest m = {0};
    struct buf b;
    int rv = names_add(&g->blobs, oci_digest_hex(manifest), HEX_LEN, err);
    arena_init(&arena, sysmem());
    buf_init(&b, sysmem(), OCI_DOCUMENT_MAX);
    if (rv == 0 && blob_read(g->dir, manifest, &b, NULL) == 0 &&
        oci_manifest_parse(str_make((const char *)b.data, b.len), &arena, &m, NULL) == 0) {
        for (uint32_t i = 0; rv == 0 && i < m.n_layers; i++) {
            rv = names_add(&g->blobs, oci_digest_hex(m.layers[i].digest), HEX_LEN, err);
        }
    }
    buf_close(&b);
    arena_close(&arena);
    return rv;
}

typedef int (*entry_fn)(struct gc *g, const char *path, const char *name, struct err *err);

static int each_entry(struct gc *g, const char *sub, entry_fn fn, struct err *err)
{
    char path[PATH_MAX];
    char entry[PATH_MAX];
    struct dirent *e;
    DIR *d;
    int rv = path_make(path, g->dir, "/", sub, err);
    if (rv != 0) {
        return rv;
    }
    d = opendir(path);
    if (d == NULL) {
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    while (rv == 0 && (e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.') {
            rv = path_make(entry, path, "/", e->d_name, err);
            rv = rv != 0 ? rv : fn(g, entry, e->d_name, err);
        }
    }
    closedir(d);
    return rv;
}

static int visit_record(struct gc *g, const char *path, const char *name, struct err *err)
{
    struct record r = {0};
    int rv;
    (void)name;
    if (record_read(path, &r, NULL) != 0 || r.used_ms < g->before_ms) {
        unlink(path);
        return 0;
    }
    rv = mark(g, r.image.id, err);
    return rv != 0 ? rv : mark_manifest(g, r.image.manifest, err);
}

static int sweep_layer(struct gc *g, const char *path, const char *name, struct err *err)
{
    return names_has(&g->layers, name) ? 0 : dir_remove(AT_FDCWD, path, err);
}

static int sweep_blob(struct gc *g, const char *path, const char *name, struct err *err)
{
    (void)err;
    if (!names_has(&g->blobs, name)) {
        unlink(path);
    }
    return 0;
}

int store_gc(const char *dir, const char *const *keep, uint32_t n_keep, uint64_t min_age_ms,
             struct err *err)
{
    struct gc g = {.dir = dir};
    uint64_t now = wall_ms();
    int rv = 0;
    g.before_ms = now > min_age_ms ? now - min_age_ms : 0;
    for (uint32_t i = 0; rv == 0 && i < n_keep; i++) {
        rv = oci_digest_ok(str_of(keep[i])) ? mark(&g, keep[i], err) : 0;
    }
    if (rv == 0) {
        rv = each_entry(&g, "refs", visit_record, err);
    }
    if (rv == 0) {
        names_sort(&g.blobs);
        names_sort(&g.layers);
        rv = each_entry(&g, "layers", sweep_layer, err);
    }
    if (rv == 0) {
        rv = each_entry(&g, "blobs/sha256", sweep_blob, err);
    }
    free(g.blobs.list);
    free(g.layers.list);
    return rv;
}
