/* Any frames at the HTTP/2 server, gRPC behind it: every accepted call is closed once. */
#include "tests/fuzz/common/fuzz_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    /* The preface and empty settings, which chance would hardly find. */
    static const uint8_t head[] = "?PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static uint8_t all[1u << 16];
    size_t n_head = sizeof head - 1;
    fuzz_setup();
    if (n == 0 || n > sizeof all - n_head) {
        return 0;
    }
    memcpy(all, head, n_head);
    all[0] = bytes[0];
    memcpy(all + n_head, bytes + 1, n - 1);
    fuzz_connection("h2", all, n_head + n - 1);
    return 0;
}
