/* A certificate for an attacker who has the cluster's CA sign what ecs-admin would not: the role of
 * an agent without joining. usage: attack_papers PKI-DIRECTORY ROLE ID OUT-DIRECTORY */
#include "common/loop/sysmem.h"
#include "common/net/pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static struct str text_of(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

static void must(int rv, const struct err *err)
{
    if (rv != 0) {
        (void)fprintf(stderr, "attack_papers: %s\n", err->text);
        exit(1);
    }
}

static void read_file(const char *dir, const char *name, struct buf *ret)
{
    char path[512];
    struct err err = {0};
    buf_init(ret, sysmem(), PKI_PEM_MAX);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    must(pki_file_read(path, ret, &err), &err);
}

static void write_file(const char *dir, const char *name, const struct buf *bytes)
{
    char path[512];
    struct err err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    must(pki_file_write(path, text_of(bytes), 0600, &err), &err);
}

int main(int argc, char **argv)
{
    struct pki_request r = {.not_before_s = time(NULL) - 60, .not_after_s = time(NULL) + 3600};
    struct pki_identity ca_identity = {0};
    struct buf ca, ca_key, key, csr, cert;
    struct err err = {0};
    if (argc != 5 || !pki_role_parse(str_of(argv[2]), &r.role)) {
        return 2;
    }
    read_file(argv[1], "ca.pem", &ca);
    read_file(argv[1], "ca.key", &ca_key);
    buf_init(&key, sysmem(), PKI_PEM_MAX);
    buf_init(&csr, sysmem(), PKI_PEM_MAX);
    buf_init(&cert, sysmem(), PKI_PEM_MAX);
    (void)pki_cert_identity(text_of(&ca), &ca_identity, NULL);
    r.domain = ca_identity.domain[0] != '\0' ? ca_identity.domain : "ecs";
    r.id = argv[3];
    must(pki_key_create(PKI_KEY_P256, &key, &err), &err);
    must(pki_csr_create(text_of(&key), &csr, &err), &err);
    must(pki_cert_issue(text_of(&ca), text_of(&ca_key), text_of(&csr), &r, &cert, &err), &err);
    (void)mkdir(argv[4], 0700);
    write_file(argv[4], "cert.pem", &cert);
    write_file(argv[4], "key.pem", &key);
    return 0;
}
