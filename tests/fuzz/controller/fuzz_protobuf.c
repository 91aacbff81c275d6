/* gRPC requests as bytes: unpacked within the budget, checked, converted and shown. */
#include "controller/codec/assignment.h"
#include "controller/codec/taskdef.h"
#include "controller/codec/transcode.h"
#include "tests/lib/test.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was registered can be shown and sent to an agent. */
static void use(const struct taskdef *def, struct arena *a)
{
    static const struct arn_names names = {"aws", "r", "123456789012"};
    struct cluster cluster = {.name = STR("c")};
    struct node node = {.address = STR("h")};
    struct task task = {.desired = TASK_RUNNING};
    struct assignment_context x = {&names, &cluster, def, NULL, &node};
    Ecs__Agent__V1__Assignment *assignment;
    Ecs__V1__TaskDefinition *shown;
    struct buf out;
    if (taskdef_to_public(def, &names, a, &shown, NULL) != 0 ||
        assignment_make(&x, &task, a, &assignment, NULL) != 0) {
        abort();
    }
    buf_init(&out, test_mem(), 1 << 26);
    transcode_write(&shown->base, &out);
    pbc_pack(&assignment->base, &out);
    buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_make((const char *)data, size);
    ProtobufCMessage *m;
    struct arena a;
    struct taskdef def;
    arena_init(&a, test_mem());
    if (pbc_unpack(&ecs__v1__register_task_definition_request__descriptor, bytes, &a, &m, NULL) ==
            0 &&
        taskdef_from_request((Ecs__V1__RegisterTaskDefinitionRequest *)m, &a, &def, NULL) == 0) {
        use(&def, &a);
    }
    arena_close(&a);
    return 0;
}
