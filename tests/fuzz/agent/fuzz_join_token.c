/* A join token as somebody types it. What is accepted is a pin and a secret in hex, and nothing
 * else. */
#include "agent/link/join.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512];
    struct join_token token;
    struct err err = {0};
    if (size >= sizeof text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (join_token_parse(text, &token, &err) != 0) {
        assert(err.text[0] != '\0');
        return 0;
    }
    assert(strlen(token.pin) == 64 && strspn(token.pin, "0123456789abcdef") == 64);
    assert(strlen(token.secret) > 0);
    return 0;
}
