/* Everything a registry or a user can say about an image. */
#include "agent/image/oci.h"
#include "agent/image/ref.h"
#include "common/loop/sysmem.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct arena arena;
    struct oci_blob blob;
    struct oci_manifest manifest;
    struct oci_config config;
    struct ref ref;
    struct err err;
    arena_init(&arena, sysmem());
    if (oci_index_parse(text, &blob, &err) == 0) {
        assert(oci_digest_ok(str_of(blob.digest)));
    }
    if (oci_manifest_parse(text, &arena, &manifest, &err) == 0) {
        assert(manifest.n_layers > 0 && manifest.n_layers <= OCI_LAYERS_MAX);
        assert(oci_digest_ok(str_of(manifest.layers[0].digest)));
    }
    if (oci_config_parse(text, &arena, &config, &err) == 0) {
        assert(config.n_diff_ids > 0 && config.user != NULL && config.stop_signal != NULL);
    }
    if (ref_parse(text, &ref, &err) == 0) {
        assert(ref.path.n > 0 && ref.path.p[0] != '-' && ref.path.p[0] != '/');
        assert(str_find(text, ' ', 0) == text.n && str_find(text, '\n', 0) == text.n);
    }
    arena_close(&arena);
    return 0;
}
