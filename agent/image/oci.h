/* agent/image/oci.h
 *
 * The JSON documents of an image: index, manifest, configuration (OCI image specification 1.0;
 * Docker's schema 2 is close enough to be read too). They come from strangers: everything is
 * checked, counted and copied into the caller's arena. Pure apart from jansson's own memory; any
 * thread. */
#ifndef AGENT_IMAGE_OCI_H
#define AGENT_IMAGE_OCI_H

#include "agent/core/executor.h"
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <stdint.h>

#define OCI_DOCUMENT_MAX (4u * 1024 * 1024)
#define OCI_LAYERS_MAX   64 /* One overlay mount takes a page of options. */
#define OCI_ARGS_MAX     1024

struct oci_blob {
    char digest[EXEC_DIGEST_MAX];
    uint64_t size;
};

struct oci_manifest {
    struct oci_blob config;
    const struct oci_blob *layers; /* Lowest first. */
    uint32_t n_layers;
    uint64_t layers_size;
};

struct oci_config {
    const char *const *diff_ids; /* "sha256:…" of the uncompressed layers, lowest first. */
    uint32_t n_diff_ids;
    const char *const *entry_point;
    uint32_t n_entry_point;
    const char *const *command;
    uint32_t n_command;
    const char *const *environment; /* "NAME=value" */
    uint32_t n_environment;
    const char *user; /* "" when unset, as the next two. */
    const char *working_directory;
    const char *stop_signal;  /* "SIGTERM", "15" */
    const char *const *ports; /* "80/tcp" */
    uint32_t n_ports;
    const char *const *volumes; /* Paths the image declares. */
    uint32_t n_volumes;
};

/* "sha256:" and 64 lower-case hex digits: the only algorithm registries use. */
bool oci_digest_ok(struct str text);

/* The 64 digits of a digest that is ok. */
const char *oci_digest_hex(const char *digest);

/* The one manifest an index.json points to. */
int oci_index_parse(struct str json, struct oci_blob *ret, struct err *err);
int oci_manifest_parse(struct str json, struct arena *arena, struct oci_manifest *ret,
                       struct err *err);
int oci_config_parse(struct str json, struct arena *arena, struct oci_config *ret, struct err *err);

#endif
