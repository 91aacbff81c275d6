/* AWS JSON into messages of several types; what is accepted must survive writing and reading. */
#include "controller/codec/taskdef.h"
#include "controller/codec/transcode.h"
#include "proto/ecs/v1/service.pb-c.h"
#include "tests/lib/test.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const ProtobufCMessageDescriptor *desc, const ProtobufCMessage *m,
                             struct arena *a)
{
    ProtobufCMessage *back;
    struct buf out;
    buf_init(&out, test_mem(), 1 << 26);
    transcode_write(m, &out);
    if (out.overflow ||
        (out.len <= TRANSCODE_JSON_MAX &&
         (transcode_read(desc, str_make((char *)out.data, out.len), a, &back, NULL) != 0 ||
          !str_eq(pbc_pack_arena(m, a), pbc_pack_arena(back, a))))) {
        abort();
    }
    buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const descs[] = {
        &ecs__v1__register_task_definition_request__descriptor,
        &ecs__v1__create_service_request__descriptor,
        &ecs__v1__run_task_request__descriptor,
        &ecs__v1__task__descriptor,
    };
    const ProtobufCMessageDescriptor *desc;
    ProtobufCMessage *m;
    struct arena a;
    struct err err = {0};
    if (size == 0) {
        return 0;
    }
    desc = descs[data[0] % (sizeof descs / sizeof descs[0])];
    arena_init(&a, test_mem());
    if (transcode_read(desc, str_make((const char *)data + 1, size - 1), &a, &m, &err) == 0) {
        check_round_trip(desc, m, &a);
        if (desc == descs[0]) {
            struct taskdef def;
            (void)taskdef_from_request((Ecs__V1__RegisterTaskDefinitionRequest *)m, &a, &def, &err);
        }
    }
    arena_close(&a);
    return 0;
}
