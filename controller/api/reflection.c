/* The descriptor set is taken apart once: its files as ranges of bytes, which are sent as they are,
 * and an index of every symbol, sorted by name. */
#include "controller/api/reflection.h"

#include "controller/api/descriptor_set.h"
#include "controller/api/grpc_front.h"
#include "controller/codec/pbc.h"
#include "proto/grpc/reflection/v1/reflection.pb-c.h"

#include <string.h>

#define REFLECTION_METHODS  2
#define REFLECTION_SEND_MAX (8u * 1024u * 1024u)

struct reflection {
    struct api *api;
    struct descriptor_set *set;
    struct grpc_method methods[REFLECTION_METHODS];
};

#define ASKED(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define SAID(what)  GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

static void say_error(Grpc__Reflection__V1__ServerReflectionResponse *to, enum grpc_code code,
                      const char *text, struct arena *a)
{
    Grpc__Reflection__V1__ErrorResponse *e =
        pbc_new(&grpc__reflection__v1__error_response__descriptor, a);
    e->error_code = (int32_t)code;
    e->error_message = arena_strdup(a, text);
    to->message_response_case = SAID(ERROR_RESPONSE);
    to->error_response = e;
}

/* The file and everything it imports, each once. */
static void say_file(const struct reflection *r, Grpc__Reflection__V1__ServerReflectionResponse *to,
                     uint32_t file, struct arena *a)
{
    Grpc__Reflection__V1__FileDescriptorResponse *f;
    const uint32_t *files;
    uint32_t n;
    if (file == DESCRIPTOR_NONE) {
        say_error(to, GRPC_NOT_FOUND, "there is no such file or symbol", a);
        return;
    }
    files = descriptor_set_closure(r->set, file, a, &n);
    f = pbc_new(&grpc__reflection__v1__file_descriptor_response__descriptor, a);
    f->file_descriptor_proto = arena_array(a, n, sizeof *f->file_descriptor_proto);
    f->n_file_descriptor_proto = n;
    for (uint32_t i = 0; i < n; i++) {
        struct str bytes = descriptor_set_file(r->set, files[i]);
        f->file_descriptor_proto[i].data = (uint8_t *)(uintptr_t)bytes.p;
        f->file_descriptor_proto[i].len = bytes.n;
    }
    to->message_response_case = SAID(FILE_DESCRIPTOR_RESPONSE);
    to->file_descriptor_response = f;
}

static void say_services(const struct reflection *r,
                         Grpc__Reflection__V1__ServerReflectionResponse *to, struct arena *a)
{
    Grpc__Reflection__V1__ListServiceResponse *l =
        pbc_new(&grpc__reflection__v1__list_service_response__descriptor, a);
    l->n_service = descriptor_set_n_services(r->set);
    l->service = arena_array(a, l->n_service, sizeof(void *));
    for (uint32_t i = 0; i < l->n_service; i++) {
        l->service[i] = pbc_new(&grpc__reflection__v1__service_response__descriptor, a);
        l->service[i]->name = (char *)(uintptr_t)descriptor_set_service(r->set, i);
    }
    to->message_response_case = SAID(LIST_SERVICES_RESPONSE);
    to->list_services_response = l;
}

/* Ours are proto2 and proto3 without extensions. */
static void say_no_extensions(Grpc__Reflection__V1__ServerReflectionResponse *to, const char *type,
                              struct arena *a)
{
    Grpc__Reflection__V1__ExtensionNumberResponse *e =
        pbc_new(&grpc__reflection__v1__extension_number_response__descriptor, a);
    e->base_type_name = arena_strdup(a, type);
    to->message_response_case = SAID(ALL_EXTENSION_NUMBERS_RESPONSE);
    to->all_extension_numbers_response = e;
}

static void answer(const struct reflection *r,
                   const Grpc__Reflection__V1__ServerReflectionRequest *q,
                   Grpc__Reflection__V1__ServerReflectionResponse *to, struct arena *a)
{
    switch ((int)q->message_request_case) {
    case ASKED(FILE_BY_FILENAME):
        say_file(r, to, descriptor_set_find_file(r->set, str_of(q->file_by_filename)), a);
        return;
    case ASKED(FILE_CONTAINING_SYMBOL):
        say_file(r, to, descriptor_set_find_symbol(r->set, str_of(q->file_containing_symbol)), a);
        return;
    case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
        say_no_extensions(to, q->all_extension_numbers_of_type, a);
        return;
    case ASKED(LIST_SERVICES):
        say_services(r, to, a);
        return;
    case ASKED(FILE_CONTAINING_EXTENSION):
        say_error(to, GRPC_NOT_FOUND, "there are no extensions", a);
        return;
    default:
        say_error(to, GRPC_INVALID_ARGUMENT, "the question has no content", a);
        return;
    }
}

static void on_message(struct grpc_call *c, struct str message)
{
    struct reflection *r = grpc_call_data(c);
    const struct mem *mem = api_mem(r->api);
    ProtobufCMessage *m;
    Grpc__Reflection__V1__ServerReflectionResponse *to;
    struct arena a;
    if (grpc_call_finished(c) || !grpc_front_allow(c, mem, ACCESS_PUBLIC)) {
        return;
    }
    arena_init(&a, mem);
    if (pbc_unpack(&grpc__reflection__v1__server_reflection_request__descriptor, message, &a, &m,
                   NULL) != 0) {
        grpc_call_fail(c, GRPC_INVALID_ARGUMENT, "not a ServerReflectionRequest");
    } else {
        to = pbc_new(&grpc__reflection__v1__server_reflection_response__descriptor, &a);
        to->original_request = (Grpc__Reflection__V1__ServerReflectionRequest *)m;
        to->valid_host = to->original_request->host;
        answer(r, to->original_request, to, &a);
        if (grpc_call_send(c, pbc_pack_arena(&to->base, &a)) == ERR_FULL) {
            grpc_call_fail(c, GRPC_RESOURCE_EXHAUSTED, "answers are not being read");
        }
    }
    arena_close(&a);
}

static void on_half_close(struct grpc_call *c)
{
    grpc_call_finish(c, GRPC_OK, NULL, STR(""));
}

int reflection_open(struct api *api, struct grpc_server *a, struct grpc_server *b,
                    struct reflection **ret, struct err *err)
{
    static const char *const paths[REFLECTION_METHODS] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    };
    struct reflection *r = mem_alloc(api_mem(api), sizeof *r);
    int rv;
    r->api = api;
    for (unsigned i = 0; i < REFLECTION_METHODS; i++) {
        r->methods[i].path = paths[i];
        r->methods[i].kind = GRPC_BIDI;
        r->methods[i].on_message = on_message;
        r->methods[i].on_half_close = on_half_close;
        r->methods[i].data = r;
    }
    rv = descriptor_set_open(api_mem(api), descriptor_set_builtin(), &r->set, err);
    if (rv == 0) {
        rv = grpc_server_add(a, r->methods, REFLECTION_METHODS, err);
    }
    if (rv == 0 && b != NULL) {
        rv = grpc_server_add(b, r->methods, REFLECTION_METHODS, err);
    }
    if (rv != 0) {
        reflection_close(r);
        return err_wrap(err, rv, "reflection");
    }
    *ret = r;
    return 0;
}

void reflection_close(struct reflection *r)
{
    if (r == NULL) {
        return;
    }
    descriptor_set_close(r->set);
    mem_free(api_mem(r->api), r, sizeof *r);
}
