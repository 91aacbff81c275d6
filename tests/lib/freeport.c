#include "tests/lib/freeport.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 20000u
#define COUNT 12000u

static bool is_free(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

uint16_t freeport(void)
{
    static unsigned tried; /* Never the same one twice in a process. */
    while (tried < COUNT) {
        uint16_t port = (uint16_t)(FIRST + ((unsigned)getpid() * 31u + tried++) % COUNT);
        if (is_free(port)) {
            return port;
        }
    }
    fprintf(stderr, "no free port from %u on\n", FIRST);
    exit(1);
}
