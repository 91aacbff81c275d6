#include "agent/image/oci.h"

#include <jansson.h>
#include <string.h>

bool oci_digest_ok(struct str text)
{
    if (text.n != 7 + 64 || !str_starts(text, "sha256:")) {
        return false;
    }
    for (size_t i = 7; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

const char *oci_digest_hex(const char *digest)
{
    return digest + strlen("sha256:");
}

static int load(struct str json, const char *what, json_t **ret, struct err *err)
{
    json_error_t why;
    json_t *root;
    if (json.n > OCI_DOCUMENT_MAX) {
        return err_set(err, ERR_TOOBIG, "%s of %zu bytes", what, json.n);
    }
    root = json_loadb(json.p == NULL ? "" : json.p, json.n, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) {
        return err_set(err, ERR_PARSE, "%s: %s", what, why.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, ERR_PARSE, "%s is not an object", what);
    }
    *ret = root;
    return 0;
}

static int parse_blob(const json_t *value, const char *what, struct oci_blob *ret, struct err *err)
{
    const char *digest = json_string_value(json_object_get(value, "digest"));
    const json_t *size = json_object_get(value, "size");
    if (digest == NULL || !oci_digest_ok(str_of(digest))) {
        return err_set(err, ERR_INVALID, "%s: digest must be sha256: and 64 hex digits", what);
    }
    if (!json_is_integer(size) || json_integer_value(size) < 0) {
        return err_set(err, ERR_INVALID, "%s: size must be a number of bytes", what);
    }
    memset(ret, 0, sizeof *ret);
    memcpy(ret->digest, digest, strlen(digest));
    ret->size = (uint64_t)json_integer_value(size);
    return 0;
}

int oci_index_parse(struct str json, struct oci_blob *ret, struct err *err)
{
    json_t *root = NULL;
    const json_t *manifests;
    struct oci_blob blob;
    int rv = load(json, "image index", &root, err);
    if (rv != 0) {
        return rv;
    }
    manifests = json_object_get(root, "manifests");
    rv = json_array_size(manifests) == 1
             ? parse_blob(json_array_get(manifests, 0), "image index", &blob, err)
             : err_set(err, ERR_INVALID, "image index: %zu manifests instead of 1",
                       json_array_size(manifests));
    json_decref(root);
    if (rv == 0) {
        *ret = blob;
    }
    return rv;
}

static int parse_layers(const json_t *layers, struct arena *arena, struct oci_manifest *m,
                        struct err *err)
{
    size_t n = json_array_size(layers);
    struct oci_blob *blobs;
    if (n == 0 || n > OCI_LAYERS_MAX) {
        return err_set(err, ERR_INVALID, "image manifest: %zu layers, allowed are 1 to %d", n,
                       OCI_LAYERS_MAX);
    }
    blobs = arena_array(arena, n, sizeof *blobs);
    for (size_t i = 0; i < n; i++) {
        int rv = parse_blob(json_array_get(layers, i), "image manifest: layer", &blobs[i], err);
        if (rv != 0) {
            return rv;
        }
        if (blobs[i].size > UINT64_MAX / OCI_LAYERS_MAX) {
            return err_set(err, ERR_INVALID, "image manifest: layer size out of range");
        }
        m->layers_size += blobs[i].size;
    }
    m->layers = blobs;
    m->n_layers = (uint32_t)n;
    return 0;
}

int oci_manifest_parse(struct str json, struct arena *arena, struct oci_manifest *ret,
                       struct err *err)
{
    struct oci_manifest m = {0};
    json_t *root = NULL;
    int rv = load(json, "image manifest", &root, err);
    if (rv != 0) {
        return rv;
    }
    rv = parse_blob(json_object_get(root, "config"), "image manifest: config", &m.config, err);
    if (rv == 0) {
        rv = parse_layers(json_object_get(root, "layers"), arena, &m, err);
    }
    json_decref(root);
    if (rv == 0) {
        *ret = m;
    }
    return rv;
}

/* An array of strings; absent and null are empty. */
static int parse_strings(const json_t *object, const char *key, struct arena *arena,
                         const char *const **ret, uint32_t *ret_n, struct err *err)
{
    const json_t *list = json_object_get(object, key);
    size_t n = json_array_size(list);
    const char **texts;
    if (list == NULL || json_is_null(list)) {
        return 0;
    }
    if (!json_is_array(list) || n > OCI_ARGS_MAX) {
        return err_set(err, ERR_INVALID, "image config: %s must be a list of at most %d strings",
                       key, OCI_ARGS_MAX);
    }
    texts = arena_array(arena, n == 0 ? 1 : n, sizeof *texts);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL) {
            return err_set(err, ERR_INVALID, "image config: %s[%zu] is not a string", key, i);
        }
        texts[i] = arena_strdup(arena, text);
    }
    *ret = texts;
    *ret_n = (uint32_t)n;
    return 0;
}

/* The keys of an object used as a set. */
static int parse_keys(json_t *object, const char *key, struct arena *arena, const char *const **ret,
                      uint32_t *ret_n, struct err *err)
{
    json_t *set = json_object_get(object, key);
    const char **texts;
    uint32_t n = 0;
    if (set == NULL || json_is_null(set)) {
        return 0;
    }
    if (!json_is_object(set) || json_object_size(set) > OCI_ARGS_MAX) {
        return err_set(err, ERR_INVALID, "image config: %s must be an object of at most %d keys",
                       key, OCI_ARGS_MAX);
    }
    texts = arena_array(arena, json_object_size(set) + 1, sizeof *texts);
    for (void *it = json_object_iter(set); it != NULL; it = json_object_iter_next(set, it)) {
        texts[n++] = arena_strdup(arena, json_object_iter_key(it));
    }
    *ret = texts;
    *ret_n = n;
    return 0;
}

static int parse_string(const json_t *object, const char *key, struct arena *arena,
                        const char **ret, struct err *err)
{
    const json_t *value = json_object_get(object, key);
    *ret = "";
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (!json_is_string(value)) {
        return err_set(err, ERR_INVALID, "image config: %s is not a string", key);
    }
    *ret = arena_strdup(arena, json_string_value(value));
    return 0;
}

static int parse_diff_ids(const json_t *root, struct arena *arena, struct oci_config *c,
                          struct err *err)
{
    int rv = parse_strings(json_object_get(root, "rootfs"), "diff_ids", arena, &c->diff_ids,
                           &c->n_diff_ids, err);
    if (rv != 0) {
        return rv;
    }
    if (c->n_diff_ids == 0 || c->n_diff_ids > OCI_LAYERS_MAX) {
        return err_set(err, ERR_INVALID, "image config: %u layers, allowed are 1 to %d",
                       c->n_diff_ids, OCI_LAYERS_MAX);
    }
    for (uint32_t i = 0; i < c->n_diff_ids; i++) {
        if (!oci_digest_ok(str_of(c->diff_ids[i]))) {
            return err_set(err, ERR_INVALID, "image config: diff_ids[%u] is not a sha256 digest",
                           i);
        }
    }
    return 0;
}

static int parse_config(json_t *root, struct arena *arena, struct oci_config *c, struct err *err)
{
    json_t *config = json_object_get(root, "config");
    int rv = parse_diff_ids(root, arena, c, err);
    c->user = c->working_directory = c->stop_signal = "";
    if (rv != 0 || config == NULL || json_is_null(config)) {
        return rv;
    }
    if (!json_is_object(config)) {
        return err_set(err, ERR_INVALID, "image config: config is not an object");
    }
    if ((rv = parse_strings(config, "Entrypoint", arena, &c->entry_point, &c->n_entry_point,
                            err)) != 0 ||
        (rv = parse_strings(config, "Cmd", arena, &c->command, &c->n_command, err)) != 0 ||
        (rv = parse_strings(config, "Env", arena, &c->environment, &c->n_environment, err)) != 0 ||
        (rv = parse_string(config, "User", arena, &c->user, err)) != 0 ||
        (rv = parse_string(config, "WorkingDir", arena, &c->working_directory, err)) != 0 ||
        (rv = parse_string(config, "StopSignal", arena, &c->stop_signal, err)) != 0 ||
        (rv = parse_keys(config, "ExposedPorts", arena, &c->ports, &c->n_ports, err)) != 0) {
        return rv;
    }
    return parse_keys(config, "Volumes", arena, &c->volumes, &c->n_volumes, err);
}

int oci_config_parse(struct str json, struct arena *arena, struct oci_config *ret, struct err *err)
{
    struct oci_config c = {0};
    json_t *root = NULL;
    int rv = load(json, "image config", &root, err);
    if (rv != 0) {
        return rv;
    }
    rv = parse_config(root, arena, &c, err);
    json_decref(root);
    if (rv == 0) {
        *ret = c;
    }
    return rv;
}
