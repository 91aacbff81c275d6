/* Any bytes at the HTTP/1 server: every accepted call is closed once, nothing leaks. */
#include "tests/fuzz/common/fuzz_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_setup();
    fuzz_connection(n % 2 == 0 ? "http/1.1" : "", bytes, n);
    return 0;
}
