#include "agent/image/ref.h"

#include "agent/image/oci.h"

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool only(struct str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) &&
            (s.p[i] == '\0' || str_find(str_of(more), s.p[i], 0) == str_of(more).n)) {
            return false;
        }
    }
    return s.n > 0;
}

/* As Docker decides it: the part before the first slash is a host if it looks like one. */
static bool looks_like_host(struct str part)
{
    return str_eqc(part, "localhost") || str_find(part, '.', 0) < part.n ||
           str_find(part, ':', 0) < part.n;
}

static bool path_ok(struct str path)
{
    while (path.n > 0) {
        size_t slash = str_find(path, '/', 0);
        struct str part = str_slice(path, 0, slash);
        if (!only(part, "._-") || !is_alnum(part.p[0]) || slash + 1 == path.n) {
            return false;
        }
        path = str_slice(path, slash + 1, path.n);
    }
    return true;
}

int ref_parse(struct str text, struct ref *ret, struct err *err)
{
    struct ref r = {0};
    struct str rest = text;
    size_t at = str_find(rest, '@', 0);
    size_t slash;
    size_t colon;
    if (text.n == 0 || text.n > REF_MAX) {
        return err_set(err, ERR_INVALID, "image name of %zu bytes, allowed are 1 to %d", text.n,
                       REF_MAX);
    }
    if (at < rest.n) {
        r.digest = str_slice(rest, at + 1, rest.n);
        rest = str_slice(rest, 0, at);
        if (!oci_digest_ok(r.digest)) {
            return err_set(err, ERR_INVALID,
                           "image %.*s: the digest must be sha256: and 64 hex digits",
                           STR_ARG(text));
        }
    }
    slash = str_find(rest, '/', 0);
    if (slash < rest.n && looks_like_host(str_slice(rest, 0, slash))) {
        r.host = str_slice(rest, 0, slash);
        rest = str_slice(rest, slash + 1, rest.n);
        if (!only(r.host, ".-:[]")) {
            return err_set(err, ERR_INVALID, "image %.*s: bad registry host", STR_ARG(text));
        }
    }
    colon = str_find(rest, ':', 0);
    if (colon < rest.n) {
        r.tag = str_slice(rest, colon + 1, rest.n);
        rest = str_slice(rest, 0, colon);
        if (!only(r.tag, "._-") || r.tag.n > 128 || r.tag.p[0] == '.' || r.tag.p[0] == '-') {
            return err_set(err, ERR_INVALID, "image %.*s: bad tag", STR_ARG(text));
        }
    }
    r.path = rest;
    if (rest.n == 0 || !path_ok(rest)) {
        return err_set(err, ERR_INVALID, "image %.*s: bad repository name", STR_ARG(text));
    }
    *ret = r;
    return 0;
}

bool ref_host_is_local(struct str host)
{
    return str_starts(host, "localhost") || str_starts(host, "127.") ||
           str_starts(host, "169.254.") || str_starts(host, "0.") || str_starts(host, "[");
}
