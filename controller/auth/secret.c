#include "controller/auth/secret.h"

#include "common/base/hex.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

int secret_make(char ret[SECRET_HEX_LEN + 1], struct err *err)
{
    uint8_t raw[SECRET_BYTES];
    if (RAND_bytes(raw, sizeof raw) != 1) {
        return err_set(err, ERR_INTERNAL, "no random numbers from the operating system");
    }
    hex_write(raw, sizeof raw, ret);
    return 0;
}

void secret_hash(struct str secret, uint8_t ret[SECRET_HASH_LEN])
{
    unsigned n = 0;
    int rv = EVP_Digest(secret.p, secret.n, ret, &n, EVP_sha256(), NULL);
    assert(rv == 1);
    assert(n == SECRET_HASH_LEN);
}
