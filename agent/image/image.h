/* agent/image/image.h
 *
 * Images on this node. Fetched by skopeo, checked digest by digest, unpacked once per layer by
 * ecs-unpack, and shared by all containers as lower directories of overlayfs.
 *
 *   DIR/blobs/sha256/HEX   manifests, configurations, compressed layers, by content
 *   DIR/layers/HEX40       a layer unpacked; named by its diff id; complete if it is there
 *   DIR/refs/HEX           {"reference", "manifest", "id", "size", "used_ms"}; named by hash
 *   DIR/tmp/               being fetched; emptied by images_open()
 *
 * An image is its configuration's digest ("id"): it names the layers. Loop thread only, except
 * image_load(). */
#ifndef AGENT_IMAGE_IMAGE_H
#define AGENT_IMAGE_IMAGE_H

#include "agent/core/executor.h"
#include "agent/image/oci.h"

#include <uv.h>

#define IMAGE_LAYER_NAME 40 /* Digits of the diff id that name a layer's directory. */

struct images_options { /* Strings and lists are borrowed until images_close() is done. */
    const char *dir;
    const char *skopeo;
    const char *unpack;
    const char *const *insecure; /* "host[:port]" */
    uint32_t n_insecure;
    uint64_t layer_bytes_max; /* 0: 20 GiB. */
    uint64_t layer_files_max; /* 0: a million. */
};

struct images; /* Opaque. */

/* Make or open the store; blocks for some file operations. */
int images_open(uv_loop_t *loop, const struct images_options *options, struct images **ret,
                struct err *err);

/* See exec_pull. Equal pulls at the same time are one. progress is not called. */
void images_pull(struct images *s, struct exec_pull *r);

/* Forget references last asked for more than min_age_ms ago, then delete what no reference and no
 * id in keep needs. keep is copied. Skipped while pulls are running. */
void images_gc(struct images *s, const char *const *keep, uint32_t n_keep, uint64_t min_age_ms);

/* Cancel pulls (their callbacks run), wait for the threads, release; cb(data) comes last. */
void images_close(struct images *s, void (*cb)(void *data), void *data);

/* An image ready for use. */
struct image {
    struct oci_config config;
    const char *lower; /* Layer directories for overlayfs, relative to DIR/layers: "top:…:bottom" */
};

/* Read the image with this id. ERR_NOTFOUND when it, or one of its layers, is not here. Blocks
 * shortly; any thread. */
int image_load(const char *dir, const char *id, struct arena *arena, struct image *ret,
               struct err *err);

#endif
