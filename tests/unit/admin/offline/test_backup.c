/* The backup format: what goes in comes out, with the right key alone; every changed, missing or
 * added byte is found. */
#include "admin/offline/backup.h"

#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/prng.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_MAX_TESTED (3 * BACKUP_CHUNK + 100)

static uint8_t plain[SIZE_MAX_TESTED];

static const struct backup_secret none = {.kind = BACKUP_KEY_NONE};

static struct backup_secret key(uint8_t kind, char c)
{
    struct backup_secret s = {.kind = kind, .n = 40};
    memset(s.bytes, c, s.n);
    return s;
}

static FILE *make(size_t n, const struct backup_secret *secret, char sha[BACKUP_SHA_HEX + 1])
{
    struct backup_head head = {.cluster_id = {7, 8},
                               .epoch = 3,
                               .index = 100,
                               .term = 4,
                               .revision = 99,
                               .digest = 0xfeedfeedfeedfeed,
                               .created_at = 1700000000000,
                               .size = n};
    struct backup_writer *w = NULL;
    struct prng p;
    FILE *f = tmpfile();
    ck_assert_ptr_nonnull(f);
    prng_init(&p, n);
    for (size_t i = 0; i < n; i++) {
        plain[i] = (uint8_t)prng_below(&p, 256);
    }
    ck_assert_int_eq(backup_writer_open(f, &head, secret, &w, NULL), 0);
    for (size_t at = 0; at < n;) {
        size_t piece = 1 + prng_below(&p, 50000);
        piece = piece < n - at ? piece : n - at;
        ck_assert_int_eq(backup_writer_add(w, plain + at, piece, NULL), 0);
        at += piece;
    }
    ck_assert_int_eq(backup_writer_finish(w, sha, NULL), 0);
    backup_writer_close(w);
    ck_assert_int_eq(fflush(f), 0);
    return f;
}

static int read_all(FILE *f, const struct backup_secret *secret, struct backup_head *head,
                    struct backup_content *c, struct err *err)
{
    int rv;
    memset(c, 0, sizeof *c);
    rewind(f);
    rv = backup_read_head(f, head, err);
    return rv == 0 ? backup_read_content(f, head, secret, c, err) : rv;
}

static void round_trip(size_t n, const struct backup_secret *secret)
{
    struct backup_head head;
    struct backup_content c;
    struct err err = {0};
    char sha[BACKUP_SHA_HEX + 1];
    FILE *f = make(n, secret, sha);
    ck_assert_msg(read_all(f, secret, &head, &c, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(c.n, n);
    ck_assert(memcmp(c.bytes, plain, n) == 0);
    ck_assert_str_eq(c.sha256, sha);
    ck_assert(id_eq(head.cluster_id, (struct id){7, 8}));
    ck_assert_uint_eq(head.epoch, 3);
    ck_assert_uint_eq(head.index, 100);
    ck_assert_uint_eq(head.term, 4);
    ck_assert_uint_eq(head.revision, 99);
    ck_assert_uint_eq(head.digest, 0xfeedfeedfeedfeed);
    ck_assert_int_eq(head.created_at, 1700000000000);
    ck_assert_str_eq(head.version, ECS_VERSION);
    backup_content_close(&c);
    (void)fclose(f);
}

START_TEST(what_was_saved_is_read_at_every_size_and_with_every_key)
    {
        static const size_t sizes[] = {0,
                                       1,
                                       BACKUP_CHUNK - 1,
                                       BACKUP_CHUNK,
                                       BACKUP_CHUNK + 1,
                                       3 * BACKUP_CHUNK,
                                       SIZE_MAX_TESTED};
        struct backup_secret file = key(BACKUP_KEY_FILE, 'k');
        struct backup_secret phrase = key(BACKUP_KEY_PASSPHRASE, 'p');
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            round_trip(sizes[i], &none);
            round_trip(sizes[i], &file);
        }
        round_trip(1000, &phrase);
    }
END_TEST

START_TEST(another_key_is_told_from_damage)
    {
        struct backup_secret right = key(BACKUP_KEY_FILE, 'k');
        struct backup_secret wrong = key(BACKUP_KEY_FILE, 'w');
        struct backup_head head;
        struct backup_content c;
        char sha[BACKUP_SHA_HEX + 1];
        FILE *f = make(5000, &right, sha);
        ck_assert_int_eq(read_all(f, &wrong, &head, &c, NULL), ERR_DENIED);
        ck_assert_int_eq(read_all(f, &none, &head, &c, NULL), ERR_DENIED);
        wrong = key(BACKUP_KEY_PASSPHRASE, 'k');
        ck_assert_int_eq(read_all(f, &wrong, &head, &c, NULL), ERR_DENIED);
        (void)fclose(f);
    }
END_TEST

static void poke(FILE *f, long at, uint8_t mask)
{
    int c;
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    c = fgetc(f);
    ck_assert_int_ne(c, EOF);
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    ck_assert_int_ne(fputc(c ^ mask, f), EOF);
    ck_assert_int_eq(fflush(f), 0);
}

static long size_of(FILE *f)
{
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    return ftell(f);
}

/* Flips bytes of a small backup, all of them; with mended also makes the head's CRC fit again. */
static void flip_all(const struct backup_secret *secret)
{
    struct backup_head head;
    struct backup_content c;
    char sha[BACKUP_SHA_HEX + 1];
    FILE *f = make(300, secret, sha);
    long size = size_of(f);
    for (long at = 0; at < size; at++) {
        poke(f, at, 0x10);
        ck_assert_int_ne(read_all(f, secret, &head, &c, NULL), 0);
        poke(f, at, 0x10);
    }
    ck_assert_int_eq(read_all(f, secret, &head, &c, NULL), 0);
    backup_content_close(&c);
    ck_assert_int_gt(size, 600);
    (void)fclose(f);
}

START_TEST(every_flipped_byte_is_found)
    {
        struct backup_secret file = key(BACKUP_KEY_FILE, 'k');
        flip_all(&file);
        flip_all(&none);
    }
END_TEST

START_TEST(a_forged_head_with_a_good_checksum_is_refused)
    {
        struct backup_secret file = key(BACKUP_KEY_FILE, 'k');
        struct backup_head head;
        struct backup_content c;
        char sha[BACKUP_SHA_HEX + 1];
        uint8_t raw[BACKUP_HEAD];
        FILE *f = make(300, &file, sha);
        rewind(f);
        ck_assert_uint_eq(fread(raw, 1, sizeof raw, f), sizeof raw);
        put_u64(raw + 40, 77); /* Another epoch. */
        put_u32(raw + 8, crc32c(0, raw + 12, BACKUP_HEAD - 12));
        rewind(f);
        ck_assert_uint_eq(fwrite(raw, 1, sizeof raw, f), sizeof raw);
        ck_assert_int_eq(read_all(f, &file, &head, &c, NULL), ERR_DENIED);
        ck_assert_uint_eq(head.epoch, 77);
        (void)fclose(f);
    }
END_TEST

START_TEST(a_backup_cut_anywhere_or_made_longer_is_refused)
    {
        struct backup_secret file = key(BACKUP_KEY_FILE, 'k');
        struct backup_head head;
        struct backup_content c;
        struct err err = {0};
        char sha[BACKUP_SHA_HEX + 1];
        FILE *f = make(BACKUP_CHUNK + 500, &file, sha);
        long size = size_of(f);
        ck_assert_int_ne(fputc('x', f), EOF);
        ck_assert_int_eq(fflush(f), 0);
        ck_assert_int_eq(read_all(f, &file, &head, &c, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "after the end"));
        for (long cut = size - 1; cut > 0; cut -= cut > size - 200 ? 1 : 997) {
            ck_assert_int_eq(ftruncate(fileno(f), cut), 0);
            ck_assert_int_eq(read_all(f, &file, &head, &c, NULL), ERR_CORRUPT);
        }
        (void)fclose(f);
    }
END_TEST

START_TEST(less_than_announced_is_not_a_backup)
    {
        struct backup_head head = {.size = 10};
        struct backup_writer *w = NULL;
        char sha[BACKUP_SHA_HEX + 1];
        FILE *f = tmpfile();
        ck_assert_int_eq(backup_writer_open(f, &head, &none, &w, NULL), 0);
        ck_assert_int_eq(backup_writer_add(w, plain, 9, NULL), 0);
        ck_assert_int_eq(backup_writer_finish(w, sha, NULL), ERR_INVALID);
        backup_writer_close(w);
        (void)fclose(f);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("backup");
    TEST_CASE(s, "backup", 60, what_was_saved_is_read_at_every_size_and_with_every_key,
              another_key_is_told_from_damage, every_flipped_byte_is_found,
              a_forged_head_with_a_good_checksum_is_refused,
              a_backup_cut_anywhere_or_made_longer_is_refused, less_than_announced_is_not_a_backup);
    return test_run(s);
}
