#include "tests/attack/attack.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
    {"host", required_argument, NULL, 'h'},    {"port", required_argument, NULL, 'p'},
    {"cert", required_argument, NULL, 'c'},    {"key", required_argument, NULL, 'k'},
    {"from", required_argument, NULL, 'f'},    {"to", required_argument, NULL, 't'},
    {"term", required_argument, NULL, 'm'},    {"seed", required_argument, NULL, 's'},
    {"seconds", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0},
};

static void set(struct attacker *a, int option, const char *value)
{
    switch (option) {
    case 'h':
        a->tls.host = value;
        break;
    case 'p':
        a->tls.port = (uint16_t)strtoul(value, NULL, 10);
        break;
    case 'c':
        a->tls.cert = value;
        break;
    case 'k':
        a->tls.key = value;
        break;
    case 'f':
        a->from = strtoull(value, NULL, 10);
        break;
    case 't':
        a->to = strtoull(value, NULL, 10);
        break;
    case 'm':
        a->term = strtoull(value, NULL, 10);
        break;
    case 's':
        a->seed = strtoull(value, NULL, 10);
        break;
    case 'n':
        a->seconds = (unsigned)strtoul(value, NULL, 10);
        break;
    default:
        exit(2);
    }
}

static bool chosen(const char *name, char **names)
{
    bool any = *names != NULL;
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return !any;
}

int attack_main(int argc, char **argv, const char *alpn, const struct attack *attacks, size_t n)
{
    struct attacker a = {.term = 1, .seed = 1, .seconds = 5};
    unsigned run = 0;
    int status = 0;
    int option;
    a.tls.host = "127.0.0.1";
    a.tls.tls = true;
    a.tls.alpn = alpn;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        set(&a, option, optarg);
    }
    a.plain = a.tls;
    a.plain.tls = false;
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < n; i++) {
        bool ok;
        if (!chosen(attacks[i].name, argv + optind)) {
            continue;
        }
        ok = attacks[i].run(&a);
        printf("%-4s %s\n", ok ? "ok" : "FAIL", attacks[i].name);
        (void)fflush(stdout);
        status = ok ? status : 1;
        run++;
    }
    return run == 0 ? 2 : status;
}
