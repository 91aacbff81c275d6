#include "agent/link/identity.h"

#include "agent/core/limits.h"
#include "common/loop/sysmem.h"
#include "common/net/pki.h"

#include <string.h>

#define KEY_FILE  "node.key"
#define CERT_FILE "node.pem"
#define CA_FILE   "ca.pem"
#define CONF_FILE "node.conf"
#define FILE_MODE 0644
#define KEY_MODE  0600

static int parse_conf(struct str text, struct arena *arena, struct identity *ret, struct err *err)
{
    const char **addresses = arena_array(arena, LIMIT_ADDRESSES, sizeof *addresses);
    while (text.n > 0) {
        struct str line = str_cut(text, '\n', &text);
        struct str value;
        struct str key = str_cut(line, ' ', &value);
        if (str_eqc(key, "cluster")) {
            ret->cluster = arena_dup(arena, value.p, value.n);
        } else if (str_eqc(key, "controller") && ret->controllers.n < LIMIT_ADDRESSES) {
            addresses[ret->controllers.n] = arena_dup(arena, value.p, value.n);
            ret->controllers.n++;
        } else if (line.n > 0) {
            return err_set(err, ERR_PARSE, "'%.*s' is no line of it", STR_ARG(line));
        }
    }
    ret->controllers.v = addresses;
    return 0;
}

static int load_conf(const char *path, struct arena *arena, struct identity *ret, struct err *err)
{
    struct buf text;
    int rv;
    buf_init(&text, sysmem(), PKI_PEM_MAX);
    rv = pki_file_read(path, &text, err);
    if (rv == 0) {
        rv = parse_conf(str_make((const char *)text.data, text.len), arena, ret, err);
        rv = rv != 0 ? err_wrap(err, rv, "%s", path) : 0;
    }
    buf_close(&text);
    return rv;
}

static int load_cert(const char *path, struct arena *arena, struct identity *ret, struct err *err)
{
    struct pki_identity who;
    struct buf pem;
    int rv;
    buf_init(&pem, sysmem(), PKI_PEM_MAX);
    rv = pki_file_read(path, &pem, err);
    if (rv == 0) {
        rv = pki_cert_identity(str_make((const char *)pem.data, pem.len), &who, err);
        if (rv == 0 && (who.role != PKI_ROLE_AGENT || !id_parse(str_of(who.id), &ret->node))) {
            rv = err_set(err, ERR_INVALID, "it is no node's certificate");
        }
        rv = rv != 0 ? err_wrap(err, rv, "%s", path) : 0;
    }
    buf_close(&pem);
    if (rv == 0) {
        ret->domain = arena_strdup(arena, who.domain);
        ret->not_before_s = who.not_before_s;
        ret->not_after_s = who.not_after_s;
    }
    return rv;
}

int identity_load(const char *data_dir, struct arena *arena, struct identity *ret, struct err *err)
{
    struct identity id;
    int rv;
    memset(&id, 0, sizeof id);
    id.key_file = arena_printf(arena, "%s/" KEY_FILE, data_dir);
    id.cert_file = arena_printf(arena, "%s/" CERT_FILE, data_dir);
    id.ca_file = arena_printf(arena, "%s/" CA_FILE, data_dir);
    id.cluster = "";
    rv = load_cert(id.cert_file, arena, &id, err);
    if (rv != 0) {
        return rv; /* ERR_NOTFOUND included. */
    }
    rv = load_conf(arena_printf(arena, "%s/" CONF_FILE, data_dir), arena, &id, err);
    if (rv == ERR_NOTFOUND) {
        rv = err_wrap(err, ERR_CORRUPT, "half an identity");
    }
    if (rv == 0) {
        *ret = id;
    }
    return rv;
}

static int save_file(const char *data_dir, const char *name, struct str bytes, unsigned mode,
                     struct err *err)
{
    struct arena arena;
    int rv;
    arena_init(&arena, sysmem());
    rv = pki_file_write(arena_printf(&arena, "%s/%s", data_dir, name), bytes, mode, err);
    arena_close(&arena);
    return rv;
}

static void write_conf(const struct join_response *r, struct buf *to)
{
    buf_printf(to, "cluster %s\n", r->cluster);
    for (uint32_t i = 0; i < r->controllers.n; i++) {
        buf_printf(to, "controller %s\n", r->controllers.v[i]);
    }
}

int identity_save(const char *data_dir, struct str key_pem, const struct join_response *r,
                  struct err *err)
{
    struct buf conf;
    int rv = save_file(data_dir, KEY_FILE, key_pem, KEY_MODE, err);
    rv = rv != 0 ? rv : save_file(data_dir, CA_FILE, str_of(r->ca_pem), FILE_MODE, err);
    if (rv == 0) {
        buf_init(&conf, sysmem(), PKI_PEM_MAX);
        write_conf(r, &conf);
        rv = save_file(data_dir, CONF_FILE, str_make((const char *)conf.data, conf.len), FILE_MODE,
                       err);
        buf_close(&conf);
    }
    return rv != 0 ? rv
                   : save_file(data_dir, CERT_FILE, str_of(r->certificate_pem), FILE_MODE, err);
}

int identity_renew(const struct identity *id, const char *cert_pem, const char *ca_pem,
                   struct err *err)
{
    int rv = 0;
    if (ca_pem[0] != '\0') {
        rv = pki_file_write(id->ca_file, str_of(ca_pem), FILE_MODE, err);
    }
    return rv != 0 ? rv : pki_file_write(id->cert_file, str_of(cert_pem), FILE_MODE, err);
}
