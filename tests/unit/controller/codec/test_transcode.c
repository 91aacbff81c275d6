/* AWS JSON and messages: known documents, every refusal with its place, and round trips of random
 * messages of every type of the API. */
#include "common/base/prng.h"
#include "controller/codec/names.h"
#include "controller/codec/transcode.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/ecs/v1/ecs.pb-c.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char ecs_descriptor_set[];
extern const size_t ecs_descriptor_set_len;

static const ProtobufCMessageDescriptor *const register_request =
    &ecs__v1__register_task_definition_request__descriptor;

static const char *write_text(const ProtobufCMessage *m, struct arena *a)
{
    struct buf out;
    const char *text;
    buf_init(&out, test_mem(), 1 << 24);
    transcode_write(m, &out);
    ck_assert(!out.overflow);
    text = arena_strdup(a, buf_cstr(&out));
    buf_close(&out);
    return text;
}

START_TEST(a_request_is_read_and_written_as_aws_spells_it)
    {
        static const char json[] =
            " {\"family\":\"web\",\"containerDefinitions\":[{\"name\":\"nginx\",\"image\":"
            "\"nginx:1\",\"cpu\":256,\"essential\":true,\"portMappings\":[{\"containerPort\":80,"
            "\"protocol\":\"tcp\"}],\"dockerLabels\":{\"b\":\"2\",\"a\":\"1\"},"
            "\"logConfiguration\":{\"logDriver\":\"json-file\"},\"unknown\":[{\"x\":[1,2,{}]}],"
            "\"user\":null}],\"networkMode\":\"bridge\",\"enableFaultInjection\":false} ";
        static const char written[] =
            "{\"family\":\"web\",\"networkMode\":\"bridge\",\"containerDefinitions\":[{\"name\":"
            "\"nginx\",\"image\":\"nginx:1\",\"cpu\":256,\"portMappings\":[{\"containerPort\":80,"
            "\"protocol\":\"tcp\"}],\"essential\":true,\"environment\":[],\"mountPoints\":[],"
            "\"volumesFrom\":[],\"dockerLabels\":{\"a\":\"1\",\"b\":\"2\"},\"logConfiguration\":"
            "{\"logDriver\":\"json-file\"},\"systemControls\":[]}],\"enableFaultInjection\":false}";
        struct arena a;
        struct err err = {0};
        ProtobufCMessage *m;
        Ecs__V1__RegisterTaskDefinitionRequest *r;
        arena_init(&a, test_mem());
        ck_assert_msg(transcode_read(register_request, str_of(json), &a, &m, &err) == 0, "%s",
                      err.text);
        r = (Ecs__V1__RegisterTaskDefinitionRequest *)m;
        ck_assert_uint_eq(r->n_container_definitions, 1);
        ck_assert_int_eq(r->container_definitions[0]->cpu, 256);
        ck_assert_ptr_null(r->container_definitions[0]->user);
        ck_assert(r->has_enable_fault_injection && !r->enable_fault_injection);
        ck_assert_str_eq(write_text(m, &a), written);
        arena_close(&a);
    }
END_TEST

START_TEST(what_is_wrong_is_said_with_its_place)
    {
        static const struct {
            const char *json;
            int code;
            const char *text;
        } cases[] = {
            {"[]", ERR_PARSE, "expected a JSON object"},
            {"{", ERR_PARSE, "expected a string"},
            {"{\"family\":\"x\"", ERR_PARSE, "expected ',' or the end of a list or object"},
            {"{\"family\" \"x\"}", ERR_PARSE, "expected ':' after a name"},
            {"{\"family\":\"x\",}", ERR_PARSE, "expected a string"},
            {"{} x", ERR_PARSE, "something follows the JSON object"},
            {"{\"family\":7}", ERR_PARSE, "family: expected a string"},
            {"{\"family\":\"x\",\"family\":\"y\"}", ERR_PARSE, "family: is there twice"},
            {"{\"family\":\"a\\u0000b\"}", ERR_PARSE, "family: bad escape in a string"},
            {"{\"family\":\"\\ud800\"}", ERR_PARSE, "family: bad escape in a string"},
            {"{\"family\":\"\xff\"}", ERR_PARSE, "family: string is not UTF-8"},
            {"{\"family\":\"a\nb\"}", ERR_PARSE, "family: control character in a string"},
            {"{\"family\":\"x}", ERR_PARSE, "family: string without end"},
            {"{\"containerDefinitions\":{}}", ERR_PARSE, "containerDefinitions: expected a list"},
            {"{\"containerDefinitions\":[{},{\"cpu\":\"1\"}]}", ERR_PARSE,
             "containerDefinitions[1].cpu: expected an integer"},
            {"{\"containerDefinitions\":[{\"cpu\":1.5}]}", ERR_PARSE,
             "containerDefinitions[0].cpu: expected an integer"},
            {"{\"containerDefinitions\":[{\"cpu\":2147483648}]}", ERR_PARSE,
             "containerDefinitions[0].cpu: integer out of range"},
            {"{\"containerDefinitions\":[{\"cpu\":01}]}", ERR_PARSE,
             "containerDefinitions[0].cpu: expected a number"},
            {"{\"containerDefinitions\":[{\"essential\":1}]}", ERR_PARSE,
             "containerDefinitions[0].essential: expected true or false"},
            {"{\"containerDefinitions\":[{\"command\":[\"a\",5]}]}", ERR_PARSE,
             "containerDefinitions[0].command[1]: expected a string"},
            {"{\"containerDefinitions\":[null]}", ERR_PARSE,
             "containerDefinitions[0]: null in a list"},
            {"{\"containerDefinitions\":[{\"dockerLabels\":{\"a\":1}}]}", ERR_PARSE,
             "containerDefinitions[0].dockerLabels: expected a string"},
            {"{\"containerDefinitions\":[{\"dockerLabels\":{\"a\":\"1\",\"a\":\"2\"}}]}", ERR_PARSE,
             "containerDefinitions[0].dockerLabels: a key is there twice"},
            {"{\"containerDefinitions\":[{\"linuxParameters\":{\"tmpfs\":[{\"size\":true}]}}]}",
             ERR_PARSE,
             "containerDefinitions[0].linuxParameters.tmpfs[0].size: expected an integer"},
            {"{\"networkMode\":\"brigde\"}", ERR_INVALID,
             "networkMode: 'brigde' is not one of [bridge, host, awsvpc, none]"},
            {"{\"x\":[[[}", ERR_PARSE, "expected a value"},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct arena a;
            struct err err = {0};
            ProtobufCMessage *m;
            arena_init(&a, test_mem());
            ck_assert_msg(transcode_read(register_request, str_of(cases[i].json), &a, &m, &err) ==
                              cases[i].code,
                          "%s: %s", cases[i].json, err.text);
            if (strcmp(err.text, cases[i].text) != 0) {
                ck_abort_msg("%s:\n  %s\n  %s", cases[i].json, err.text, cases[i].text);
            }
            arena_close(&a);
        }
    }
END_TEST

START_TEST(nesting_and_size_are_bounded)
    {
        struct arena a;
        struct err err = {0};
        ProtobufCMessage *m;
        size_t n = TRANSCODE_JSON_MAX + 1;
        char *text = malloc(n);
        arena_init(&a, test_mem());
        memset(text, ' ', n);
        memcpy(text, "{}", 2);
        ck_assert_int_eq(transcode_read(register_request, str_make(text, n - 1), &a, &m, &err), 0);
        ck_assert_int_eq(transcode_read(register_request, str_make(text, n), &a, &m, &err),
                         ERR_TOOBIG);
        for (int depth = 60; depth < 70; depth++) {
            int len = snprintf(text, n, "{\"x\":");
            for (int i = 0; i < 2 * depth; i++) {
                text[len++] = i < depth ? '[' : ']';
            }
            text[len++] = '}';
            ck_assert_int_eq(
                transcode_read(register_request, str_make(text, (size_t)len), &a, &m, &err),
                depth <= TRANSCODE_DEPTH_MAX - 1 ? 0 : ERR_PARSE);
        }
        free(text);
        arena_close(&a);
    }
END_TEST

START_TEST(times_are_seconds_with_milliseconds)
    {
        static const struct {
            const char *in;
            const char *out;
        } cases[] = {
            {"0", "0"},
            {"1700000000", "1700000000"},
            {"1700000000.123", "1700000000.123"},
            {"1.7000000001239e9", "1700000000.124"},
            {"-1.5", "-1.500"},
            {"1700000000.05", "1700000000.050"},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct arena a;
            struct err err = {0};
            ProtobufCMessage *m;
            char json[80];
            char wanted[80];
            arena_init(&a, test_mem());
            (void)snprintf(json, sizeof json, "{\"createdAt\":%s}", cases[i].in);
            (void)snprintf(wanted, sizeof wanted, "\"createdAt\":%s", cases[i].out);
            ck_assert_msg(transcode_read(&ecs__v1__task__descriptor, str_of(json), &a, &m, &err) ==
                              0,
                          "%s", err.text);
            ck_assert_ptr_nonnull(strstr(write_text(m, &a), wanted));
            arena_close(&a);
        }
    }
END_TEST

START_TEST(strings_survive_and_bad_bytes_are_replaced)
    {
        static const struct {
            const char *in;
            const char *out;
        } cases[] = {
            {"plain", "\"plain\""},
            {"\"\\\b\f\n\r\t\x01", "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\""},
            {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3", "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3\""},
            {"a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        };
        struct arena a;
        struct err err = {0};
        ProtobufCMessage *m;
        arena_init(&a, test_mem());
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct buf out;
            buf_init(&out, test_mem(), 1000);
            transcode_put_string(str_of(cases[i].in), &out);
            ck_assert_str_eq(buf_cstr(&out), cases[i].out);
            buf_close(&out);
        }
        ck_assert_int_eq(transcode_read(register_request,
                                        STR("{\"family\":\"\\u00fc\\ud83d\\udc33\\/\\n\"}"), &a, &m,
                                        &err),
                         0);
        ck_assert_str_eq(((Ecs__V1__RegisterTaskDefinitionRequest *)m)->family,
                         "\xc3\xbc\xf0\x9f\x90\xb3/\n");
        arena_close(&a);
    }
END_TEST

START_TEST(a_response_shows_its_empty_lists_but_no_empty_objects)
    {
        struct arena a;
        Ecs__V1__DescribeServicesResponse *r;
        Ecs__V1__Service *s;
        arena_init(&a, test_mem());
        r = pbc_new(&ecs__v1__describe_services_response__descriptor, &a);
        ck_assert_str_eq(write_text(&r->base, &a), "{\"services\":[],\"failures\":[]}");
        s = pbc_new(&ecs__v1__service__descriptor, &a);
        s->service_name = (char *)"web";
        r->services = &s;
        r->n_services = 1;
        ck_assert_str_eq(write_text(&r->base, &a),
                         "{\"services\":[{\"serviceName\":\"web\",\"loadBalancers\":[],"
                         "\"serviceRegistries\":[],\"deployments\":[],\"events\":[],"
                         "\"placementConstraints\":[],\"placementStrategy\":[]}],\"failures\":[]}");
        arena_close(&a);
    }
END_TEST

/* --- all descriptors ----------------------------------------------------------------------------
 */

struct walk {
    const ProtobufCMessageDescriptor *all[600];
    size_t n;
};

static void walk_add(struct walk *w, const ProtobufCMessageDescriptor *d)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->all[i] == d) {
            return;
        }
    }
    ck_assert_uint_lt(w->n, 600);
    w->all[w->n++] = d;
}

static void walk_all(struct walk *w)
{
    const ProtobufCServiceDescriptor *s = &ecs__v1__ecs_service__descriptor;
    for (unsigned i = 0; i < s->n_methods; i++) {
        walk_add(w, s->methods[i].input);
        walk_add(w, s->methods[i].output);
    }
    for (size_t i = 0; i < w->n; i++) {
        for (unsigned j = 0; j < w->all[i]->n_fields; j++) {
            if (w->all[i]->fields[j].type == PROTOBUF_C_TYPE_MESSAGE) {
                walk_add(w, w->all[i]->fields[j].descriptor);
            }
        }
    }
    ck_assert_uint_gt(w->n, 200);
}

static void check_message_names(const Google__Protobuf__DescriptorProto *d, size_t *n)
{
    for (size_t i = 0; i < d->n_field; i++) {
        char name[NAME_MAX_LEN];
        name_json(d->field[i]->name, name);
        ck_assert_ptr_nonnull(d->field[i]->json_name);
        ck_assert_str_eq(name, d->field[i]->json_name);
        (*n)++;
    }
}

START_TEST(names_are_those_that_the_proto_files_state)
    {
        struct arena a;
        struct err err = {0};
        ProtobufCMessage *m;
        Google__Protobuf__FileDescriptorSet *set;
        size_t n = 0;
        arena_init(&a, test_mem());
        ck_assert_int_eq(
            pbc_unpack(&google__protobuf__file_descriptor_set__descriptor,
                       str_make((const char *)ecs_descriptor_set, ecs_descriptor_set_len), &a, &m,
                       &err),
            0);
        set = (Google__Protobuf__FileDescriptorSet *)m;
        for (size_t i = 0; i < set->n_file; i++) {
            if (strncmp(set->file[i]->name, "proto/ecs/v1/", 13) == 0) {
                for (size_t j = 0; j < set->file[i]->n_message_type; j++) {
                    check_message_names(set->file[i]->message_type[j], &n);
                }
            }
        }
        ck_assert_uint_gt(n, 1000);
        arena_close(&a);
    }
END_TEST

START_TEST(every_field_of_the_api_can_be_transcoded)
    {
        struct walk w = {0};
        walk_all(&w);
        for (size_t i = 0; i < w.n; i++) {
            const ProtobufCMessageDescriptor *d = w.all[i];
            ck_assert_uint_le(d->n_fields, 64);
            for (unsigned j = 0; j < d->n_fields; j++) {
                const ProtobufCFieldDescriptor *f = &d->fields[j];
                char name[NAME_MAX_LEN];
                ck_assert_int_ne(f->type, PROTOBUF_C_TYPE_BYTES);
                ck_assert_int_ne(f->type, PROTOBUF_C_TYPE_FLOAT);
                ck_assert_uint_lt(strlen(f->name) + 8, NAME_MAX_LEN);
                name_json(f->name, name);
                ck_assert_ptr_eq(name_field(d, str_of(name)), f);
                ck_assert_ptr_null(name_field(d, str_of("no such name")));
                if (f->type == PROTOBUF_C_TYPE_ENUM) {
                    const ProtobufCEnumDescriptor *e = f->descriptor;
                    for (unsigned k = 0; k < e->n_values; k++) {
                        const char *text = name_enum(e, e->values[k].value);
                        ck_assert_ptr_eq(name_enum_value(e, str_of(text)), &e->values[k]);
                    }
                }
            }
        }
    }
END_TEST

/* Fill with plausible values, two elements a list, down to a depth. */
static void random_message(ProtobufCMessage *top, struct prng *p, struct arena *a)
{
    struct item {
        ProtobufCMessage *m;
        int depth;
    } work[4000];
    size_t n_work = 1;
    work[0] = (struct item){top, 0};
    while (n_work > 0) {
        struct item w = work[--n_work];
        for (unsigned i = 0; i < w.m->descriptor->n_fields; i++) {
            const ProtobufCFieldDescriptor *f = &w.m->descriptor->fields[i];
            size_t n = f->label == PROTOBUF_C_LABEL_REPEATED ? 1 + prng_below(p, 2) : 1;
            bool map = pbc_is_map(f, w.m->descriptor);
            uint8_t *to;
            if (prng_below(p, 3) == 0 || (f->type == PROTOBUF_C_TYPE_MESSAGE && w.depth > 6)) {
                continue;
            }
            to = pbc_set(w.m, f, n, a);
            for (size_t j = 0; j < n; j++, to += pbc_value_size(f->type)) {
                uint64_t v = prng_u64(p);
                if (f->type == PROTOBUF_C_TYPE_STRING) {
                    *(char **)(void *)to = arena_printf(a, "%llx", (unsigned long long)v);
                } else if (f->type == PROTOBUF_C_TYPE_DOUBLE) {
                    *(double *)(void *)to = (double)(int64_t)v / 1e7;
                } else if (f->type == PROTOBUF_C_TYPE_BOOL) {
                    *(protobuf_c_boolean *)(void *)to = v & 1;
                } else if (f->type == PROTOBUF_C_TYPE_ENUM) {
                    const ProtobufCEnumDescriptor *e = f->descriptor;
                    *(int *)(void *)to = e->values[v % e->n_values].value;
                } else if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
                    memcpy(to, &v, pbc_value_size(f->type));
                } else if (f->descriptor == &google__protobuf__timestamp__descriptor) {
                    Google__Protobuf__Timestamp *t = pbc_new(f->descriptor, a);
                    t->seconds = (int64_t)(v % 4000000000);
                    t->nanos = (int32_t)(v % 1000) * 1000000;
                    *(ProtobufCMessage **)(void *)to = &t->base;
                } else {
                    ProtobufCMessage *sub = pbc_new(f->descriptor, a);
                    *(ProtobufCMessage **)(void *)to = sub;
                    if (map) {
                        *(char **)pbc_set(sub, &sub->descriptor->fields[0], 1, a) =
                            arena_printf(a, "%c%llx", (int)('a' + j), (unsigned long long)v);
                        *(char **)pbc_set(sub, &sub->descriptor->fields[1], 1, a) =
                            arena_printf(a, "value %zu", j);
                    } else if (n_work < 4000) {
                        work[n_work++] = (struct item){sub, w.depth + 1};
                    }
                }
            }
        }
    }
}

START_TEST(random_messages_of_every_type_survive_a_round_trip)
    {
        struct walk w = {0};
        struct prng p;
        struct arena a;
        size_t total = 0;
        walk_all(&w);
        prng_init(&p, 11);
        arena_init(&a, test_mem());
        for (size_t i = 0; i < w.n; i++) {
            for (int round = 0; round < 3; round++) {
                struct err err = {0};
                ProtobufCMessage *m = pbc_new(w.all[i], &a);
                ProtobufCMessage *back;
                const char *json;
                struct str bytes;
                if (w.all[i] == &google__protobuf__timestamp__descriptor ||
                    str_ends(str_of(w.all[i]->name), "Entry")) {
                    continue;
                }
                random_message(m, &p, &a);
                json = write_text(m, &a);
                ck_assert_msg(transcode_read(w.all[i], str_of(json), &a, &back, &err) == 0,
                              "%s: %s\n%s", w.all[i]->name, err.text, json);
                bytes = pbc_pack_arena(m, &a);
                ck_assert_msg(str_eq(bytes, pbc_pack_arena(back, &a)), "%s\n%s\n%s", w.all[i]->name,
                              json, write_text(back, &a));
                total += bytes.n;
            }
            arena_clear(&a);
        }
        ck_assert_uint_gt(total, 100000);
        arena_close(&a);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("transcode");
    TEST_CASE(s, "documents", 30, a_request_is_read_and_written_as_aws_spells_it,
              what_is_wrong_is_said_with_its_place, nesting_and_size_are_bounded,
              times_are_seconds_with_milliseconds, strings_survive_and_bad_bytes_are_replaced,
              a_response_shows_its_empty_lists_but_no_empty_objects);
    TEST_CASE(s, "all of the API", 120, names_are_those_that_the_proto_files_state,
              every_field_of_the_api_can_be_transcoded,
              random_messages_of_every_type_survive_a_round_trip);
    return test_run(s);
}
