/* admin/offline/backup.h
 *
 * The file of `ecs-admin backup`: a checkpoint, encrypted unless that was refused, with a head that
 * says what it is of and can be read without the key. Written and read front to back, so neither
 * the whole nor its plain text need ever be on a disk. Blocking; one thread. The format is drawn in
 * backup.c. */
#ifndef ADMIN_OFFLINE_BACKUP_H
#define ADMIN_OFFLINE_BACKUP_H

#include "common/base/err.h"
#include "common/base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BACKUP_HEAD        256u
#define BACKUP_CHUNK       65536u /* Bytes in a chunk as written; readers take up to ... */
#define BACKUP_CHUNK_MAX   1048576u
#define BACKUP_SALT        32u
#define BACKUP_SHA_HEX     64u
#define BACKUP_VERSION_LEN 24u
#define BACKUP_SECRET_MAX  4096u /* Bytes of a key file or passphrase. */

enum backup_key_kind { BACKUP_KEY_NONE = 0, BACKUP_KEY_FILE = 1, BACKUP_KEY_PASSPHRASE = 2 };

/* What opens a backup. Zeroed: nothing, for plain ones. */
struct backup_secret {
    uint8_t kind; /* enum backup_key_kind */
    size_t n;
    uint8_t bytes[BACKUP_SECRET_MAX];
};

struct backup_head {
    uint8_t key;          /* enum backup_key_kind; NONE: the backup is plain. */
    uint8_t scrypt_log_n; /* For passphrases: log2 of scrypt's cost. */
    uint32_t chunk;
    struct id cluster_id;
    uint64_t epoch;
    uint64_t index; /* The place in the log that the state is of ... */
    uint64_t term;
    uint64_t revision; /* ... and what it amounts to. */
    uint64_t digest;
    int64_t created_at; /* Milliseconds since 1970. */
    uint64_t size;      /* Bytes of the checkpoint. */
    uint8_t salt[BACKUP_SALT];
    char version[BACKUP_VERSION_LEN]; /* Of the program that wrote it. */
};

/* A key from a file: 32 to BACKUP_SECRET_MAX bytes, best from /dev/urandom. A passphrase from a
 * file: its first line, at least 12 bytes. */
int backup_secret_read(const char *path, enum backup_key_kind kind, struct backup_secret *ret,
                       struct err *err);

/* Forget it. */
void backup_secret_wipe(struct backup_secret *s);

/* --- writing -----------------------------------------------------------------------------------
 */

struct backup_writer; /* Opaque. */

/* Write the head; key, chunk, salt and version of *head are filled in. The file is borrowed. */
int backup_writer_open(FILE *file, struct backup_head *head, const struct backup_secret *secret,
                       struct backup_writer **ret, struct err *err);
int backup_writer_add(struct backup_writer *w, const uint8_t *bytes, size_t n, struct err *err);

/* Write the end; ERR_INVALID when not head->size bytes were added. ret: the SHA-256 of head and
 * checkpoint, in hex. */
int backup_writer_finish(struct backup_writer *w, char ret[BACKUP_SHA_HEX + 1], struct err *err);
void backup_writer_close(struct backup_writer *w); /* NULL is fine. */

/* --- reading -----------------------------------------------------------------------------------
 */

/* Read and check the head, which needs no key. ERR_CORRUPT, ERR_UNSUPPORTED. */
int backup_read_head(FILE *file, struct backup_head *ret, struct err *err);

struct backup_content {
    uint8_t *bytes; /* The checkpoint file; backup_content_close() wipes and releases it. */
    size_t n;
    char sha256[BACKUP_SHA_HEX + 1];
};

/* Read everything behind the head, checking every chunk and the hash over all. ERR_DENIED: the
 * secret is not the one; ERR_CORRUPT names chunk and offset. */
int backup_read_content(FILE *file, const struct backup_head *head,
                        const struct backup_secret *secret, struct backup_content *ret,
                        struct err *err);
void backup_content_close(struct backup_content *c); /* Zeroed is fine. */

#endif
