/* What this machine can do at best: the disk under a directory makes a small record durable, a byte
 * goes to another thread over the loopback and comes back. Nothing that promises durability or
 * answers over a network is faster; other benchmarks state their figures beside these.
 *
 * usage: floor [--quick] [--json FILE]      BENCH_DIR: where the disk is tried, else . */
#include "tests/lib/report.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS   64
#define PER      20  /* Measured together: one sample is their mean. */
#define RECORD   512 /* Bytes. */
#define PREALLOC (4u << 20)

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void check(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

/* As the log writes: into space that is there already, then fdatasync(). */
static void try_disk(struct report *r)
{
    const char *dir = getenv("BENCH_DIR") == NULL ? "." : getenv("BENCH_DIR");
    static char record[RECORD];
    char path[4096];
    off_t at = 0;
    (void)snprintf(path, sizeof path, "%s/floor.%ld", dir, (long)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(fd >= 0, path);
    (void)unlink(path);
    check(posix_fallocate(fd, 0, PREALLOC) == 0 && fsync(fd) == 0, "preallocate");
    for (int i = 0; i < ROUNDS; i++) {
        double from = now_us();
        for (int k = 0; k < PER; k++) {
            check(pwrite(fd, record, sizeof record, at) == sizeof record, "pwrite");
            check(fdatasync(fd) == 0, "fdatasync");
            at = (at + RECORD) % PREALLOC;
        }
        report_add(r, "disk", "write 512 bytes and fdatasync", "us", (now_us() - from) / PER);
    }
    (void)close(fd);
}

static void *echo(void *arg)
{
    int fd = *(int *)arg;
    char byte;
    while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1) {
    }
    return NULL;
}

static void try_loopback(struct report *r)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int one = 1, there, here = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;
    char byte = 0;
    check(bind(door, (struct sockaddr *)&at, sizeof at) == 0 && listen(door, 1) == 0 &&
              getsockname(door, (struct sockaddr *)&at, &n) == 0 &&
              connect(here, (struct sockaddr *)&at, sizeof at) == 0,
          "loopback");
    there = accept(door, NULL, NULL);
    check(there >= 0 && pthread_create(&thread, NULL, echo, &there) == 0, "loopback");
    (void)setsockopt(here, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(there, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < ROUNDS; i++) {
        double from = now_us();
        for (int k = 0; k < PER; k++) {
            check(write(here, &byte, 1) == 1 && read(here, &byte, 1) == 1, "loopback");
        }
        report_add(r, "loopback", "round trip of a byte", "us", (now_us() - from) / PER);
    }
    (void)close(here);
    (void)pthread_join(thread, NULL);
    (void)close(there);
    (void)close(door);
}

int main(int argc, char **argv)
{
    static struct report r;
    report_open(&r, "floor", argc, argv);
    try_disk(&r);
    try_loopback(&r);
    report_close(&r);
    return 0;
}
