/* All integers little-endian. Head, 256 bytes:
 *
 *   0  u8[8]  "ECSBAK01"
 *   8  u32    CRC32C of bytes 12 to 255
 *  12  u16    format, 1
 *  14  u8     cipher: 0 none, 1 AES-256-GCM
 *  15  u8     key: 0 none, 1 a file through HKDF-SHA256, 2 a passphrase through scrypt (r 8, p 1)
 *  16  u32    bytes in a chunk
 *  20  u8     log2 of scrypt's N, then 3 zeros
 *  24  u64[2] cluster id
 *  40  u64    epoch
 *  48  u64[4] index, term, revision, digest of the state
 *  80  i64    created at
 *  88  u64    bytes of the checkpoint
 *  96  u8[32] salt
 * 128  u8[24] version of the writer, then zeros
 * 224  u8[32] HMAC-SHA256 of bytes 12 to 223; zeros in a plain backup
 *
 * Then chunks, numbered from 0:
 *
 *   0  u32    number of bytes; bit 31: this is the last chunk
 *   4         the bytes, encrypted
 *   .  u8[16] tag of AES-256-GCM over them, the head, the chunk's number (u64) and its first word;
 *             in a plain backup the first half of the SHA-256 of the same
 *
 * The last chunk holds u64 bytes of the checkpoint and u8[32] SHA-256 of head and checkpoint. The
 * nonce is the chunk's number: every backup has a salt, so a key, of its own. Chunks cannot be
 * changed, exchanged, left out or cut off unnoticed; the head is under the HMAC, and under every
 * tag. CRC32C beside the HMAC tells a damaged head from a wrong key. */
#include "admin/offline/backup.h"

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/hex.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT         1
#define KEY            32
#define TAG            16
#define SHA            32
#define NONCE          12
#define LAST           0x80000000u
#define TRAILER        (8u + SHA)
#define MAC_AT         224
#define SCRYPT_LOG_N   15 /* 32 MiB and some 0.1 s. */
#define SCRYPT_LOG_MIN 10
#define SCRYPT_LOG_MAX 18 /* 256 MiB. */
#define PASSPHRASE_MIN 12
#define SIZE_LIMIT     ((uint64_t)1 << 40)

static const uint8_t magic[8] = {'E', 'C', 'S', 'B', 'A', 'K', '0', '1'};

/* --- secrets --------------------------------------------------------------------------------- */

int backup_secret_read(const char *path, enum backup_key_kind kind, struct backup_secret *ret,
                       struct err *err)
{
    FILE *f = fopen(path, "rbe");
    size_t min = kind == BACKUP_KEY_FILE ? KEY : PASSPHRASE_MIN;
    int rv = 0;
    if (f == NULL) {
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    ret->kind = (uint8_t)kind;
    ret->n = fread(ret->bytes, 1, sizeof ret->bytes, f);
    if (ferror(f) != 0) {
        rv = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    } else if (ret->n == sizeof ret->bytes && fgetc(f) != EOF) {
        rv = err_set(err, ERR_TOOBIG, "%s: more than %u bytes", path, BACKUP_SECRET_MAX);
    }
    (void)fclose(f);
    if (rv == 0 && kind == BACKUP_KEY_PASSPHRASE) {
        const uint8_t *end = memchr(ret->bytes, '\n', ret->n);
        ret->n = end == NULL ? ret->n : (size_t)(end - ret->bytes);
    }
    if (rv == 0 && ret->n < min) {
        rv = err_set(err, ERR_INVALID, "%s: a %s has at least %zu bytes, this one has %zu", path,
                     kind == BACKUP_KEY_FILE ? "key" : "passphrase", min, ret->n);
    }
    if (rv != 0) {
        backup_secret_wipe(ret);
    }
    return rv;
}

void backup_secret_wipe(struct backup_secret *s)
{
    OPENSSL_cleanse(s, sizeof *s);
}

struct keys {
    uint8_t data[KEY];
    uint8_t mac[KEY];
};

static int hkdf(const struct backup_secret *secret, const uint8_t *salt, struct keys *ret)
{
    static char digest[] = "SHA256";
    static uint8_t info[] = "ecs backup 1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret->bytes,
                                          secret->n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt,
                                          BACKUP_SALT),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info - 1),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    int ok = ctx == NULL ? 0 : EVP_KDF_derive(ctx, (uint8_t *)ret, sizeof *ret, params);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok == 1 ? 0 : ERR_INTERNAL;
}

static int derive(const struct backup_secret *secret, const struct backup_head *head,
                  struct keys *ret, struct err *err)
{
    uint64_t n = (uint64_t)1 << head->scrypt_log_n;
    int rv = ERR_INTERNAL;
    if (head->key == BACKUP_KEY_FILE) {
        rv = hkdf(secret, head->salt, ret);
    } else if (EVP_PBE_scrypt((const char *)secret->bytes, secret->n, head->salt, BACKUP_SALT, n, 8,
                              1, n * 1024 + ((uint64_t)1 << 20), (uint8_t *)ret,
                              sizeof *ret) == 1) {
        rv = 0;
    }
    return rv == 0 ? 0 : err_set(err, rv, "derive the key of the backup");
}

/* --- the head -------------------------------------------------------------------------------- */

static void head_mac(const struct keys *keys, const uint8_t *raw, uint8_t ret[SHA])
{
    unsigned n = SHA;
    const uint8_t *p = HMAC(EVP_sha256(), keys->mac, KEY, raw + 12, MAC_AT - 12, ret, &n);
    assert(p != NULL && n == SHA);
}

/* keys NULL: the backup is plain. */
static void head_write(const struct backup_head *h, const struct keys *keys, uint8_t *raw)
{
    memset(raw, 0, BACKUP_HEAD);
    memcpy(raw, magic, sizeof magic);
    put_u16(raw + 12, FORMAT);
    raw[14] = keys == NULL ? 0 : 1;
    raw[15] = h->key;
    put_u32(raw + 16, h->chunk);
    raw[20] = h->scrypt_log_n;
    put_u64(raw + 24, h->cluster_id.hi);
    put_u64(raw + 32, h->cluster_id.lo);
    put_u64(raw + 40, h->epoch);
    put_u64(raw + 48, h->index);
    put_u64(raw + 56, h->term);
    put_u64(raw + 64, h->revision);
    put_u64(raw + 72, h->digest);
    put_u64(raw + 80, (uint64_t)h->created_at);
    put_u64(raw + 88, h->size);
    memcpy(raw + 96, h->salt, BACKUP_SALT);
    memcpy(raw + 128, h->version, BACKUP_VERSION_LEN);
    if (keys != NULL) {
        head_mac(keys, raw, raw + MAC_AT);
    }
    put_u32(raw + 8, crc32c(0, raw + 12, BACKUP_HEAD - 12));
}

static int head_check(const uint8_t *raw, const struct backup_head *h, struct err *err)
{
    uint8_t again[BACKUP_HEAD];
    bool plain = h->key == BACKUP_KEY_NONE;
    if (raw[14] != (plain ? 0 : 1) || h->key > BACKUP_KEY_PASSPHRASE) {
        return err_set(err, ERR_UNSUPPORTED,
                       "backup with cipher %u and key %u: this program is "
                       "too old",
                       raw[14], h->key);
    }
    if (h->key == BACKUP_KEY_PASSPHRASE &&
        (h->scrypt_log_n < SCRYPT_LOG_MIN || h->scrypt_log_n > SCRYPT_LOG_MAX)) {
        return err_set(err, ERR_CORRUPT, "head: scrypt's cost is 2^%u", h->scrypt_log_n);
    }
    if (h->chunk == 0 || h->chunk > BACKUP_CHUNK_MAX || h->size > SIZE_LIMIT ||
        memchr(h->version, '\0', BACKUP_VERSION_LEN) == NULL) {
        return err_set(err, ERR_CORRUPT, "head: %u bytes in a chunk, %llu in all", h->chunk,
                       (unsigned long long)h->size);
    }
    head_write(h, NULL, again);
    if (memcmp(again + 16, raw + 16, MAC_AT - 16) != 0) {
        return err_set(err, ERR_CORRUPT, "head: bytes that should be zero are not");
    }
    return 0;
}

int backup_read_head(FILE *file, struct backup_head *ret, struct err *err)
{
    uint8_t raw[BACKUP_HEAD];
    struct backup_head h = {0};
    int rv;
    if (fread(raw, 1, sizeof raw, file) != sizeof raw || memcmp(raw, magic, sizeof magic) != 0) {
        return err_set(err, ERR_CORRUPT, "not a backup of ecs");
    }
    if (crc32c(0, raw + 12, BACKUP_HEAD - 12) != get_u32(raw + 8)) {
        return err_set(err, ERR_CORRUPT, "damaged in the head (offset 0 to %u)", BACKUP_HEAD);
    }
    if (get_u16(raw + 12) != FORMAT) {
        return err_set(err, ERR_UNSUPPORTED, "backup of format %u: this program reads %d",
                       get_u16(raw + 12), FORMAT);
    }
    h.key = raw[15];
    h.chunk = get_u32(raw + 16);
    h.scrypt_log_n = raw[20];
    h.cluster_id = (struct id){get_u64(raw + 24), get_u64(raw + 32)};
    h.epoch = get_u64(raw + 40);
    h.index = get_u64(raw + 48);
    h.term = get_u64(raw + 56);
    h.revision = get_u64(raw + 64);
    h.digest = get_u64(raw + 72);
    h.created_at = (int64_t)get_u64(raw + 80);
    h.size = get_u64(raw + 88);
    memcpy(h.salt, raw + 96, BACKUP_SALT);
    memcpy(h.version, raw + 128, BACKUP_VERSION_LEN);
    rv = head_check(raw, &h, err);
    if (rv == 0) {
        *ret = h;
    }
    return rv;
}

/* --- chunks ---------------------------------------------------------------------------------- */

/* What writing and reading have in common: the head, the keys, the hash so far. */
struct coder {
    uint8_t head[BACKUP_HEAD];
    struct keys keys;
    bool plain;
    EVP_CIPHER_CTX *cipher;
    EVP_MD_CTX *hash; /* Of head and checkpoint. */
    uint64_t number;  /* Of the next chunk. */
};

static int coder_open(struct coder *c, struct err *err)
{
    c->cipher = EVP_CIPHER_CTX_new();
    c->hash = EVP_MD_CTX_new();
    if (c->cipher == NULL || c->hash == NULL ||
        EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(c->hash, c->head, sizeof c->head) != 1) {
        return err_set(err, ERR_NOMEM, "backup");
    }
    return 0;
}

static void coder_close(struct coder *c)
{
    EVP_CIPHER_CTX_free(c->cipher);
    EVP_MD_CTX_free(c->hash);
    OPENSSL_cleanse(&c->keys, sizeof c->keys);
}

static void plain_tag(const struct coder *c, const uint8_t *aad, size_t aad_n, const uint8_t *data,
                      size_t n, uint8_t ret[TAG])
{
    uint8_t sha[SHA];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, c->head, sizeof c->head) == 1 &&
              EVP_DigestUpdate(ctx, aad, aad_n) == 1 && EVP_DigestUpdate(ctx, data, n) == 1 &&
              EVP_DigestFinal_ex(ctx, sha, NULL) == 1;
    assert(ok);
    EVP_MD_CTX_free(ctx);
    memcpy(ret, sha, TAG);
}

/* Encrypt or decrypt n bytes in place and make or check the tag; false: it does not fit. */
static bool crypt_chunk(struct coder *c, uint32_t word, uint8_t *data, size_t n, uint8_t tag[TAG],
                        bool encrypt)
{
    uint8_t nonce[NONCE] = {0};
    uint8_t aad[12];
    uint8_t expected[TAG];
    int len = 0;
    bool ok;
    put_u64(nonce + 4, c->number);
    put_u64(aad, c->number);
    put_u32(aad + 8, word);
    c->number++;
    if (c->plain) {
        plain_tag(c, aad, sizeof aad, data, n, expected);
        if (encrypt) {
            memcpy(tag, expected, TAG);
        }
        return memcmp(tag, expected, TAG) == 0;
    }
    ok = EVP_CipherInit_ex(c->cipher, EVP_aes_256_gcm(), NULL, c->keys.data, nonce,
                           encrypt ? 1 : 0) == 1 &&
         EVP_CipherUpdate(c->cipher, NULL, &len, c->head, sizeof c->head) == 1 &&
         EVP_CipherUpdate(c->cipher, NULL, &len, aad, sizeof aad) == 1 &&
         EVP_CipherUpdate(c->cipher, data, &len, data, (int)n) == 1;
    if (ok && !encrypt) {
        ok = EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1;
    }
    ok = ok && EVP_CipherFinal_ex(c->cipher, data + n, &len) == 1;
    if (ok && encrypt) {
        ok = EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1;
    }
    return ok;
}

/* --- writing --------------------------------------------------------------------------------- */

struct backup_writer {
    FILE *file;
    struct coder coder;
    uint64_t size;  /* Announced. */
    uint64_t added; /* Of it. */
    size_t n;
    uint8_t chunk[BACKUP_CHUNK];
};

static int put(struct backup_writer *w, const void *bytes, size_t n, struct err *err)
{
    return fwrite(bytes, 1, n, w->file) == n
               ? 0
               : err_set(err, errno == ENOSPC ? ERR_FULL : ERR_IO, "write: %s", strerror(errno));
}

static int put_chunk(struct backup_writer *w, uint32_t flag, struct err *err)
{
    uint8_t word[4];
    uint8_t tag[TAG];
    bool ok;
    int rv;
    put_u32(word, (uint32_t)w->n | flag);
    ok = crypt_chunk(&w->coder, get_u32(word), w->chunk, w->n, tag, true);
    assert(ok);
    rv = put(w, word, sizeof word, err);
    if (rv == 0) {
        rv = put(w, w->chunk, w->n, err);
    }
    if (rv == 0) {
        rv = put(w, tag, sizeof tag, err);
    }
    w->n = 0;
    return rv;
}

int backup_writer_open(FILE *file, struct backup_head *head, const struct backup_secret *secret,
                       struct backup_writer **ret, struct err *err)
{
    struct backup_writer *w = calloc(1, sizeof *w);
    int rv = 0;
    if (w == NULL) {
        return err_set(err, ERR_NOMEM, "backup");
    }
    head->key = secret->kind;
    head->chunk = BACKUP_CHUNK;
    head->scrypt_log_n = secret->kind == BACKUP_KEY_PASSPHRASE ? SCRYPT_LOG_N : 0;
    memset(head->version, 0, sizeof head->version);
    (void)snprintf(head->version, sizeof head->version, "%s", ECS_VERSION);
    w->file = file;
    w->size = head->size;
    w->coder.plain = secret->kind == BACKUP_KEY_NONE;
    if (RAND_bytes(head->salt, BACKUP_SALT) != 1) {
        rv = err_set(err, ERR_INTERNAL, "no random numbers");
    }
    if (rv == 0 && !w->coder.plain) {
        rv = derive(secret, head, &w->coder.keys, err);
    }
    if (rv == 0) {
        head_write(head, w->coder.plain ? NULL : &w->coder.keys, w->coder.head);
        rv = coder_open(&w->coder, err);
    }
    if (rv == 0) {
        rv = put(w, w->coder.head, BACKUP_HEAD, err);
    }
    if (rv != 0) {
        backup_writer_close(w);
        return rv;
    }
    *ret = w;
    return 0;
}

int backup_writer_add(struct backup_writer *w, const uint8_t *bytes, size_t n, struct err *err)
{
    bool ok = EVP_DigestUpdate(w->coder.hash, bytes, n) == 1;
    assert(ok);
    w->added += n;
    while (n > 0) {
        size_t take = BACKUP_CHUNK - w->n < n ? BACKUP_CHUNK - w->n : n;
        memcpy(w->chunk + w->n, bytes, take);
        w->n += take;
        bytes += take;
        n -= take;
        if (w->n == BACKUP_CHUNK) {
            int rv = put_chunk(w, 0, err);
            if (rv != 0) {
                return rv;
            }
        }
    }
    return 0;
}

int backup_writer_finish(struct backup_writer *w, char ret[BACKUP_SHA_HEX + 1], struct err *err)
{
    uint8_t sha[SHA];
    bool ok;
    int rv = 0;
    if (w->added != w->size) {
        return err_set(err, ERR_INVALID, "%llu bytes came, %llu were announced",
                       (unsigned long long)w->added, (unsigned long long)w->size);
    }
    ok = EVP_DigestFinal_ex(w->coder.hash, sha, NULL) == 1;
    assert(ok);
    if (w->n > 0) {
        rv = put_chunk(w, 0, err);
    }
    put_u64(w->chunk, w->size);
    memcpy(w->chunk + 8, sha, SHA);
    w->n = TRAILER;
    if (rv == 0) {
        rv = put_chunk(w, LAST, err);
    }
    hex_write(sha, SHA, ret);
    return rv;
}

void backup_writer_close(struct backup_writer *w)
{
    if (w == NULL) {
        return;
    }
    coder_close(&w->coder);
    OPENSSL_cleanse(w->chunk, sizeof w->chunk);
    free(w);
}

/* --- reading --------------------------------------------------------------------------------- */

struct backup_reader {
    FILE *file;
    struct coder coder;
    const struct backup_head *head;
    uint64_t offset;
    uint8_t *chunk; /* head->chunk bytes. */
    struct backup_content *to;
};

static int broken(const struct backup_reader *r, struct err *err, const char *why)
{
    return err_set(err, ERR_CORRUPT, "damaged in chunk %llu, at offset %llu: %s",
                   (unsigned long long)r->coder.number, (unsigned long long)r->offset, why);
}

/* Read and open the next chunk; its first word says how long it is. */
static int get_chunk(struct backup_reader *r, uint32_t *ret_word, struct err *err)
{
    uint8_t word[4];
    uint8_t tag[TAG];
    uint32_t n;
    if (fread(word, 1, sizeof word, r->file) != sizeof word) {
        return broken(r, err, "the file ends here");
    }
    n = get_u32(word) & ~LAST;
    if (n == 0 || n > r->head->chunk) {
        return broken(r, err, "impossible length");
    }
    if (fread(r->chunk, 1, n, r->file) != n || fread(tag, 1, TAG, r->file) != TAG) {
        return broken(r, err, "the file ends here");
    }
    if (!crypt_chunk(&r->coder, get_u32(word), r->chunk, n, tag, false)) {
        r->coder.number--;
        return broken(r, err, "the bytes are not what was written");
    }
    r->offset += sizeof word + n + TAG;
    *ret_word = get_u32(word);
    return 0;
}

static int get_trailer(struct backup_reader *r, size_t n, struct err *err)
{
    uint8_t sha[SHA];
    bool ok = EVP_DigestFinal_ex(r->coder.hash, sha, NULL) == 1;
    assert(ok);
    if (n != TRAILER || get_u64(r->chunk) != r->to->n || r->to->n != r->head->size ||
        memcmp(r->chunk + 8, sha, SHA) != 0) {
        return broken(r, err, "size or SHA-256 of the whole differ");
    }
    if (fgetc(r->file) != EOF) {
        return broken(r, err, "there are bytes after the end");
    }
    hex_write(sha, SHA, r->to->sha256);
    return 0;
}

static int get_all(struct backup_reader *r, struct err *err)
{
    for (;;) {
        uint32_t word = 0;
        size_t n;
        int rv = get_chunk(r, &word, err);
        if (rv != 0) {
            return rv;
        }
        n = word & ~LAST;
        if ((word & LAST) != 0) {
            return get_trailer(r, n, err);
        }
        if (n > r->head->size - r->to->n) {
            return broken(r, err, "more than the head announces");
        }
        if (EVP_DigestUpdate(r->coder.hash, r->chunk, n) != 1) {
            return err_set(err, ERR_INTERNAL, "SHA-256");
        }
        memcpy(r->to->bytes + r->to->n, r->chunk, n);
        r->to->n += n;
    }
}

/* The rest of the file, at most: a head that lies must not cost memory. */
static int check_size(FILE *file, const struct backup_head *head, struct err *err)
{
    long at = ftell(file);
    long end;
    if (at < 0 || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0 ||
        fseek(file, at, SEEK_SET) != 0) {
        return err_set(err, ERR_IO, "%s", strerror(errno));
    }
    if ((uint64_t)end < (uint64_t)at || (uint64_t)(end - at) < head->size) {
        return err_set(err, ERR_CORRUPT,
                       "the file is cut off: %llu bytes instead of more than %llu",
                       (unsigned long long)end, (unsigned long long)head->size + BACKUP_HEAD);
    }
    return 0;
}

static int open_keys(struct backup_reader *r, const struct backup_secret *secret, struct err *err)
{
    uint8_t mac[SHA];
    int rv;
    r->coder.plain = r->head->key == BACKUP_KEY_NONE;
    if (r->head->key != secret->kind) {
        return err_set(err, ERR_DENIED, "the backup %s",
                       r->coder.plain                    ? "is plain: it has no key"
                       : r->head->key == BACKUP_KEY_FILE ? "was made with a key file"
                                                         : "was made with a passphrase");
    }
    if (!r->coder.plain) {
        rv = derive(secret, r->head, &r->coder.keys, err);
        if (rv != 0) {
            return rv;
        }
    }
    head_write(r->head, r->coder.plain ? NULL : &r->coder.keys, r->coder.head);
    /* The head is rebuilt from what was read; its last bytes must be what the file has there. */
    if (fseek(r->file, MAC_AT, SEEK_SET) != 0 || fread(mac, 1, SHA, r->file) != SHA) {
        return err_set(err, ERR_IO, "read the head again");
    }
    if (CRYPTO_memcmp(mac, r->coder.head + MAC_AT, SHA) != 0) {
        return err_set(err, ERR_DENIED, "this is not the key of the backup");
    }
    return 0;
}

int backup_read_content(FILE *file, const struct backup_head *head,
                        const struct backup_secret *secret, struct backup_content *ret,
                        struct err *err)
{
    struct backup_content content = {0};
    struct backup_reader r = {.file = file, .head = head, .offset = BACKUP_HEAD, .to = &content};
    int rv = check_size(file, head, err);
    if (rv == 0) {
        rv = open_keys(&r, secret, err);
    }
    if (rv == 0) {
        rv = coder_open(&r.coder, err);
    }
    if (rv == 0) {
        r.chunk = malloc((size_t)head->chunk + TAG);
        content.bytes = malloc(head->size + 1);
        if (r.chunk != NULL && content.bytes != NULL) {
            rv = get_all(&r, err);
        } else {
            rv = err_set(err, ERR_NOMEM, "backup");
        }
    }
    coder_close(&r.coder);
    if (r.chunk != NULL) {
        OPENSSL_cleanse(r.chunk, head->chunk);
        free(r.chunk);
    }
    if (rv != 0) {
        backup_content_close(&content);
        return rv;
    }
    *ret = content;
    return 0;
}

void backup_content_close(struct backup_content *c)
{
    if (c->bytes != NULL) {
        OPENSSL_cleanse(c->bytes, c->n);
        free(c->bytes);
    }
    memset(c, 0, sizeof *c);
}
