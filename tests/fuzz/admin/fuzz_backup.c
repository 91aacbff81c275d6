/* Backups, plain and with a key file: the first byte says how much of the head is mended, so that
 * what lies behind it is reached. No byte sequence crashes the reader or makes it take more memory
 * than the file has bytes. */
#include "admin/offline/backup.h"
#include "common/base/buf.h"
#include "common/base/hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *p, size_t size, uint8_t how)
{
    memcpy(p, "ECSBAK01", 8);
    put_u16(p + 12, 1);
    p[15] &= 1;
    p[14] = p[15];
    put_u32(p + 16, 1 + get_u32(p + 16) % BACKUP_CHUNK_MAX);
    p[20] = 0;
    memset(p + 21, 0, 3);
    p[151] = 0;
    memset(p + 152, 0, 72);
    if ((how & 2) != 0) {
        put_u64(p + 88, get_u64(p + 88) % (size + 1));
    }
    if (p[15] == 0) {
        memset(p + 224, 0, 32);
    }
    put_u32(p + 8, crc32c(0, p + 12, BACKUP_HEAD - 12));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backup_secret secret = {.n = 40};
    struct backup_content content = {0};
    struct backup_head head;
    uint8_t *copy;
    FILE *f;
    if (size < 2) {
        return 0;
    }
    copy = malloc(size - 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data + 1, size - 1);
    if ((data[0] & 1) != 0 && size > BACKUP_HEAD) {
        mend(copy, size, data[0]);
    }
    f = fmemopen(copy, size - 1, "rb");
    if (f == NULL) {
        abort();
    }
    if (backup_read_head(f, &head, NULL) == 0) {
        secret.kind = head.key == BACKUP_KEY_PASSPHRASE ? BACKUP_KEY_FILE : head.key;
        if (backup_read_content(f, &head, &secret, &content, NULL) == 0 && content.n > size) {
            abort();
        }
        backup_content_close(&content);
    }
    (void)fclose(f);
    free(copy);
    return 0;
}
