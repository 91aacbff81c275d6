/* Certificates of a cluster, for those who have no PKI of their own: a CA, and certificates of
 * controllers and administrators. Nodes get theirs by joining. Works on files alone. */
#include "admin/cli.h"
#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "common/net/pki.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CA_DAYS      1826
#define DAYS_DEFAULT 365
#define PATH_LEN     4096

static int path_in(const char *dir, const char *file, char ret[PATH_LEN])
{
    int n = snprintf(ret, PATH_LEN, "%s/%s", dir, file);
    if (n < 0 || n >= PATH_LEN) {
        complain("the path %s/%s is too long", dir, file);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

static int make_dir(const char *dir)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        complain("%s: %s", dir, strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

static int write_file(const char *dir, const char *file, const struct buf *bytes, unsigned mode)
{
    char path[PATH_LEN];
    struct err err = {0};
    int rv = path_in(dir, file, path);
    if (rv == EXIT_OK &&
        pki_file_write(path, str_make((const char *)bytes->data, bytes->len), mode, &err) != 0) {
        complain("%s", err.text);
        rv = EXIT_FAILED;
    }
    return rv;
}

static int read_file(const char *dir, const char *file, struct buf *bytes)
{
    char path[PATH_LEN];
    struct err err = {0};
    int rv = path_in(dir, file, path);
    if (rv == EXIT_OK && pki_file_read(path, bytes, &err) != 0) {
        complain("%s", err.text);
        rv = EXIT_FAILED;
    }
    return rv;
}

static struct str text_of(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

/* --- init
 * ------------------------------------------------------------------------------------------- */

static const struct option_def init_options[] = {
    {"dir", "DIR", "Where ca.pem and ca.key are written (default: pki).", false},
    {"domain", "NAME", "Trust domain named in every certificate (default: ecs).", false},
    {NULL, NULL, NULL, false},
};

static int make_ca(const char *dir, const char *domain)
{
    int64_t now = (int64_t)clock_wall_ms() / 1000;
    struct err err = {0};
    struct buf key;
    struct buf ca;
    int rv = EXIT_OK;
    buf_init(&key, sysmem(), PKI_PEM_MAX);
    buf_init(&ca, sysmem(), PKI_PEM_MAX);
    if (pki_key_create(PKI_KEY_P256, &key, &err) != 0 ||
        pki_ca_create(text_of(&key), domain, now - 300, now + CA_DAYS * PKI_DAY_S, &ca, &err) !=
            0) {
        complain("%s", err.text);
        rv = EXIT_FAILED;
    }
    if (rv == EXIT_OK) {
        rv = write_file(dir, "ca.key", &key, 0600);
    }
    if (rv == EXIT_OK) {
        rv = write_file(dir, "ca.pem", &ca, 0644);
    }
    buf_close(&key);
    buf_close(&ca);
    return rv;
}

static int run_init(struct cli *cli, const struct args *args)
{
    const char *dir = args_get(args, "dir", "pki");
    char path[PATH_LEN];
    struct stat st;
    int rv = path_in(dir, "ca.key", path);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (stat(path, &st) == 0) {
        complain("%s exists already; a CA is made once", path);
        return EXIT_REFUSED;
    }
    rv = make_dir(dir);
    if (rv == EXIT_OK) {
        rv = make_ca(dir, args_get(args, "domain", "ecs"));
    }
    if (rv == EXIT_OK) {
        say(cli, "wrote %s/ca.pem and %s/ca.key (keep the key away from the nodes)", dir, dir);
    }
    return rv;
}

/* --- issue
 * ------------------------------------------------------------------------------------------ */

static const struct option_def issue_options[] = {
    {"dir", "DIR", "Where ca.pem and ca.key are (default: pki).", false},
    {"role", "ROLE", "controller or admin.", false},
    {"id", "ID", "Number of a controller, name of an administrator.", false},
    {"ip", "ADDRESS", "Address the controller answers on; may be repeated.", true},
    {"dns", "NAME", "DNS name of the controller; may be repeated.", true},
    {"days", "N", "Validity (default: 365).", false},
    {"lifetime", "TIME", "Validity in another unit: 90s, 30m, 12h.", false},
    {"out", "DIR", "Where cert.pem and key.pem are written.", false},
    {NULL, NULL, NULL, false},
};

static unsigned gather(const struct args *args, const char *option, const char **sans, unsigned n)
{
    const char *value;
    for (int i = 0; n < PKI_SANS_MAX && (value = args_nth(args, option, i)) != NULL; i++) {
        sans[n++] = value;
    }
    return n;
}

/* The trust domain is the CA's own: what its certificates say must agree. */
static int issue(const char *dir, struct pki_request *request, const char *out)
{
    struct pki_identity ca_identity;
    struct err err = {0};
    struct buf b[5]; /* CA certificate, CA key, new key, request, new certificate. */
    int rv;
    for (int i = 0; i < 5; i++) {
        buf_init(&b[i], sysmem(), PKI_PEM_MAX);
    }
    rv = read_file(dir, "ca.pem", &b[0]);
    if (rv == EXIT_OK) {
        rv = read_file(dir, "ca.key", &b[1]);
    }
    if (rv == EXIT_OK && request->domain == NULL) {
        bool found = pki_cert_identity(text_of(&b[0]), &ca_identity, NULL) == 0;
        request->domain = found && ca_identity.domain[0] != '\0' ? ca_identity.domain : "ecs";
    }
    if (rv == EXIT_OK && (pki_key_create(PKI_KEY_P256, &b[2], &err) != 0 ||
                          pki_csr_create(text_of(&b[2]), &b[3], &err) != 0 ||
                          pki_cert_issue(text_of(&b[0]), text_of(&b[1]), text_of(&b[3]), request,
                                         &b[4], &err) != 0)) {
        complain("%s", err.text);
        rv = EXIT_FAILED;
    }
    if (rv == EXIT_OK) {
        rv = make_dir(out);
    }
    if (rv == EXIT_OK) {
        rv = write_file(out, "key.pem", &b[2], 0600);
    }
    if (rv == EXIT_OK) {
        rv = write_file(out, "cert.pem", &b[4], 0644);
    }
    for (int i = 0; i < 5; i++) {
        buf_close(&b[i]);
    }
    return rv;
}

static int lifetime_of(const struct args *args, int64_t *ret_s)
{
    const char *lifetime = args_get(args, "lifetime", NULL);
    int64_t days = DAYS_DEFAULT;
    uint64_t ms = 0;
    int rv = args_number(args, "days", 1, CA_DAYS, &days);
    *ret_s = days * PKI_DAY_S;
    if (rv != EXIT_OK || lifetime == NULL) {
        return rv;
    }
    if (args_has(args, "days")) {
        complain("--days and --lifetime say the same; give one of them");
        return EXIT_USAGE;
    }
    if (!conf_parse_duration(str_of(lifetime), &ms) || ms < 1000 ||
        ms / 1000 > (uint64_t)(CA_DAYS * PKI_DAY_S)) {
        complain("--lifetime must be a time from 1s to %dd, such as 12h, not '%s'", CA_DAYS,
                 lifetime);
        return EXIT_USAGE;
    }
    *ret_s = (int64_t)(ms / 1000);
    return EXIT_OK;
}

static int run_issue(struct cli *cli, const struct args *args)
{
    const char *sans[PKI_SANS_MAX];
    const char *role = args_get(args, "role", "");
    const char *out = args_get(args, "out", NULL);
    int64_t now = (int64_t)clock_wall_ms() / 1000;
    int64_t lifetime_s;
    struct pki_request request = {.id = args_get(args, "id", NULL), .sans = sans};
    int rv = lifetime_of(args, &lifetime_s);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (!pki_role_parse(str_of(role), &request.role) || request.role == PKI_ROLE_NONE ||
        request.role == PKI_ROLE_AGENT) {
        complain("--role must be controller or admin, not '%s' (nodes join with a token)", role);
        return EXIT_USAGE;
    }
    if (request.id == NULL || out == NULL) {
        complain("pki issue needs --id and --out");
        return EXIT_USAGE;
    }
    request.n_sans = gather(args, "ip", sans, 0);
    request.n_sans = gather(args, "dns", sans, request.n_sans);
    request.not_before_s = now - 300;
    request.not_after_s = now + lifetime_s;
    rv = issue(args_get(args, "dir", "pki"), &request, out);
    if (rv == EXIT_OK) {
        say(cli, "wrote %s/cert.pem and %s/key.pem (%s %s, %lld %s)", out, out, role, request.id,
            (long long)(lifetime_s / (lifetime_s >= PKI_DAY_S ? PKI_DAY_S : 1)),
            lifetime_s >= PKI_DAY_S ? "days" : "seconds");
    }
    return rv;
}

const struct command_def pki_commands[] = {
    {"pki", "init", "[--dir DIR] [--domain NAME]", 0, 0,
     "Make the cluster's certificate authority.", init_options, run_init},
    {"pki", "issue", "--role ROLE --id ID --out DIR [--ip ADDRESS...]", 0, 0,
     "Make a certificate for a controller or an administrator.", issue_options, run_issue},
    {NULL, NULL, NULL, 0, 0, NULL, NULL, NULL},
};
