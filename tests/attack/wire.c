#include "tests/attack/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define IO_MS 3000

struct wire {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

void wire_sleep_ms(int ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int connect_to(const struct wire_target *t)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(t->port)};
    struct timeval limit = {IO_MS / 1000, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, t->host, &sa.sin_addr) != 1) {
        abort();
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool start_tls(struct wire *w, const struct wire_target *t)
{
    unsigned char alpn[32];
    w->ctx = SSL_CTX_new(TLS_client_method());
    if (w->ctx == NULL) {
        return false;
    }
    if (t->cert != NULL && (SSL_CTX_use_certificate_chain_file(w->ctx, t->cert) != 1 ||
                            SSL_CTX_use_PrivateKey_file(w->ctx, t->key, SSL_FILETYPE_PEM) != 1)) {
        abort();
    }
    w->ssl = SSL_new(w->ctx);
    if (w->ssl == NULL || SSL_set_fd(w->ssl, w->fd) != 1) {
        return false;
    }
    if (t->alpn != NULL) {
        size_t n = strlen(t->alpn);
        alpn[0] = (unsigned char)n;
        memcpy(alpn + 1, t->alpn, n);
        (void)SSL_set_alpn_protos(w->ssl, alpn, (unsigned)n + 1);
    }
    return SSL_connect(w->ssl) == 1;
}

struct wire *wire_open(const struct wire_target *t)
{
    struct wire *w = calloc(1, sizeof *w);
    if (w == NULL) {
        abort();
    }
    w->fd = connect_to(t);
    if (w->fd < 0 || (t->tls && !start_tls(w, t))) {
        wire_close(w);
        return NULL;
    }
    return w;
}

void wire_close(struct wire *w)
{
    if (w == NULL) {
        return;
    }
    SSL_free(w->ssl);
    SSL_CTX_free(w->ctx);
    if (w->fd >= 0) {
        close(w->fd);
    }
    free(w);
}

bool wire_write(struct wire *w, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        int part = n > 65536 ? 65536 : (int)n;
        ssize_t put = w->ssl != NULL ? SSL_write(w->ssl, p, part)
                                     : send(w->fd, p, (size_t)part, MSG_NOSIGNAL);
        if (put <= 0) {
            return false;
        }
        p += put;
        n -= (size_t)put;
    }
    return true;
}

int wire_read(struct wire *w, void *to, size_t size, int timeout_ms)
{
    struct pollfd p = {w->fd, POLLIN, 0};
    int n;
    if ((w->ssl == NULL || SSL_pending(w->ssl) == 0) && poll(&p, 1, timeout_ms) == 0) {
        return -1;
    }
    if (w->ssl == NULL) {
        n = (int)recv(w->fd, to, size, MSG_DONTWAIT);
        return n > 0 ? n : n < 0 && errno == EAGAIN ? -1 : 0;
    }
    n = SSL_read(w->ssl, to, size > 65536 ? 65536 : (int)size);
    if (n > 0) {
        return n;
    }
    return SSL_get_error(w->ssl, n) == SSL_ERROR_WANT_READ ? -1 : 0;
}

bool wire_closed(struct wire *w, int timeout_ms)
{
    uint8_t away[65536];
    int64_t end = now_ms() + timeout_ms;
    for (int64_t left = timeout_ms; left >= 0; left = end - now_ms()) {
        if (wire_read(w, away, sizeof away, (int)left) == 0) {
            return true;
        }
    }
    return false;
}
