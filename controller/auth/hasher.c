#include "controller/auth/hasher.h"

#include "common/base/hex.h"

#include <assert.h>
#include <openssl/evp.h>

/* An EVP_MD_CTX under our own name: OpenSSL stays inside this file. */
struct hasher *hasher_open(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rv = ctx == NULL ? 0 : EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    assert(rv == 1);
    return (struct hasher *)ctx;
}

void hasher_close(struct hasher *h)
{
    EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

void hasher_add(struct hasher *h, const uint8_t *bytes, size_t n)
{
    int rv = EVP_DigestUpdate((EVP_MD_CTX *)h, bytes, n);
    assert(rv == 1);
}

void hasher_finish(struct hasher *h, char ret[HASHER_HEX_LEN + 1])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int rv = EVP_DigestFinal_ex((EVP_MD_CTX *)h, raw, &n);
    assert(rv == 1);
    assert(n * 2 == HASHER_HEX_LEN);
    hex_write(raw, n, ret);
}
