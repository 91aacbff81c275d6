#include "agent/core/limits.h"
#include "agent/link/message.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

static struct buf out;
static struct arena arena;
static struct err err;

static void setup(void)
{
    buf_init(&out, test_mem(), 4u << 20);
    arena_init(&arena, test_mem());
    memset(&err, 0, sizeof err);
}

static void teardown(void)
{
    buf_close(&out);
    arena_close(&arena);
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

static struct str encoded(void)
{
    return str_make((const char *)out.data, out.len);
}

/* Bytes as protoc --encode gives them, written down by hand. */
static void check_bytes(const char *hex)
{
    char got[256] = "";
    for (size_t i = 0; i < out.len && i < 100; i++) {
        snprintf(got + 2 * i, sizeof got - 2 * i, "%02x", out.data[i]);
    }
    ck_assert_str_eq(got, hex);
}

START_TEST(the_encoding_is_that_of_protocol_buffers)
    {
        struct container_report c = {
            .index = 1, .status = WIRE_CONTAINER_STOPPED, .has_exit_code = true, .exit_code = -2};
        struct task_report t = {.task = {0x0102030405060708, 0x090a0b0c0d0e0f10},
                                .status = WIRE_STOPPED,
                                .reason = "x",
                                .stopped_at = 300,
                                .containers = &c,
                                .n_containers = 1};
        struct reports r = {.number = 5, .tasks = &t, .n_tasks = 1};
        struct agent_message m = {.reports = &r};
        ck_assert_int_eq(message_encode_agent(&m, &out, &err), 0);
        check_bytes("1a26" /* 3: reports */
                    "0805" /* 1: 5 */
                    "1222" /* 2: task */
                    "0a100102030405060708090a0b0c0d0e0f10"
                    "1007"     /* 2: 7 */
                    "2a0178"   /* 5: "x" */
                    "48ac02"   /* 9: 300 */
                    "5206"     /* 10: container */
                    "08011002" /* 1: 1, 2: 2 */
                    "2003");   /* 4: -2, zigzag */
    }
END_TEST

START_TEST(every_agent_message_survives_the_round_trip)
    {
        static const struct spec_pair attributes[] = {{"ecs.os-type", "linux"}, {"gpu", ""}};
        static const uint16_t tcp[] = {22, 65535};
        static const struct inventory_item tasks[] = {{{1, 2}, WIRE_RUNNING}, {{3, 4}, 0}};
        static const struct hello hello = {.protocol = 1,
                                           .name = "n1",
                                           .address = "10.0.0.1",
                                           .cpu = 4096,
                                           .memory = UINT32_MAX,
                                           .reserved_tcp = tcp,
                                           .n_reserved_tcp = 2,
                                           .attributes = attributes,
                                           .n_attributes = 2,
                                           .tasks = tasks,
                                           .n_tasks = 2};
        static const struct id held[] = {{5, 6}, {7, 8}};
        static const struct heartbeat beat = {UINT64_MAX, 1, 2, 3, true, held, 2};
        static const struct numbered ack = {77};
        static const struct log_chunk chunk = {9, {"a\0b", 3}, true, "gone"};
        struct agent_message m = {.hello = &hello};
        struct agent_message got;
        ck_assert_int_eq(message_encode_agent(&m, &out, &err), 0);
        ck_assert_msg(message_decode_agent(encoded(), &arena, &got, &err) == 0, "%s", err.text);
        ck_assert_str_eq(got.hello->name, "n1");
        ck_assert_uint_eq(got.hello->memory, UINT32_MAX);
        ck_assert_uint_eq(got.hello->n_reserved_tcp, 2);
        ck_assert_uint_eq(got.hello->reserved_tcp[1], 65535);
        ck_assert_uint_eq(got.hello->n_reserved_udp, 0);
        ck_assert_str_eq(got.hello->attributes[1].name, "gpu");
        ck_assert_str_eq(got.hello->attributes[1].value, "");
        ck_assert_uint_eq(got.hello->n_tasks, 2);
        ck_assert_uint_eq(got.hello->tasks[1].task.lo, 4);
        ck_assert_int_eq(got.hello->tasks[0].status, WIRE_RUNNING);
        ck_assert_str_eq(got.hello->agent_version, "");
        buf_clear(&out);
        m = (struct agent_message){.heartbeat = &beat};
        ck_assert_int_eq(message_encode_agent(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_agent(encoded(), &arena, &got, &err), 0);
        ck_assert_uint_eq(got.heartbeat->number, UINT64_MAX);
        ck_assert_uint_eq(got.heartbeat->tasks_running, 3);
        ck_assert(got.heartbeat->census);
        ck_assert_uint_eq(got.heartbeat->n_held, 2);
        ck_assert_uint_eq(got.heartbeat->held[1].lo, 8);
        buf_clear(&out);
        m = (struct agent_message){.assignments_ack = &ack};
        ck_assert_int_eq(message_encode_agent(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_agent(encoded(), &arena, &got, &err), 0);
        ck_assert_uint_eq(got.assignments_ack->number, 77);
        buf_clear(&out);
        m = (struct agent_message){.log_chunk = &chunk};
        ck_assert_int_eq(message_encode_agent(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_agent(encoded(), &arena, &got, &err), 0);
        ck_assert_uint_eq(got.log_chunk->data.n, 3);
        ck_assert(got.log_chunk->end);
        ck_assert_str_eq(got.log_chunk->error, "gone");
    }
END_TEST

START_TEST(every_controller_message_survives_the_round_trip)
    {
        static const char *const addresses[] = {"a:1", "b:2"};
        static const struct welcome welcome = {.session = 12,
                                               .heartbeat_interval_ms = 1000,
                                               .lease_ms = 30000,
                                               .controllers = {addresses, 2}};
        static const struct redirect redirect = {.leader = "b:2", .controllers = {addresses, 1}};
        static const struct heartbeat_ack ack = {7, {addresses, 2}};
        static const struct id forget[] = {{5, 6}};
        static const struct assignment tasks[] = {
            {.task = {1, 1}, .spec = {"\x0a\x00", 2}},
            {.task = {2, 2}, .stop = true, .stop_reason = "why"}};
        static const struct assignments assign = {.number = 3,
                                                  .full = true,
                                                  .full_end = true,
                                                  .tasks = tasks,
                                                  .n_tasks = 2,
                                                  .forget = forget,
                                                  .n_forget = 1};
        static const struct log_request log = {.request = 4,
                                               .task = {8, 9},
                                               .container = "web",
                                               .follow = true,
                                               .since = -1,
                                               .tail = 10};
        struct controller_message m = {.welcome = &welcome};
        struct controller_message got;
        ck_assert_int_eq(message_encode_controller(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_controller(encoded(), &arena, &got, &err), 0);
        ck_assert_uint_eq(got.welcome->session, 12);
        ck_assert_str_eq(got.welcome->controllers.v[1], "b:2");
        ck_assert_str_eq(got.welcome->cluster, "");
        buf_clear(&out);
        m = (struct controller_message){.redirect = &redirect};
        ck_assert_int_eq(message_encode_controller(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_controller(encoded(), &arena, &got, &err), 0);
        ck_assert_str_eq(got.redirect->leader, "b:2");
        buf_clear(&out);
        m = (struct controller_message){.heartbeat_ack = &ack};
        ck_assert_int_eq(message_encode_controller(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_controller(encoded(), &arena, &got, &err), 0);
        ck_assert_uint_eq(got.heartbeat_ack->number, 7);
        ck_assert_uint_eq(got.heartbeat_ack->controllers.n, 2);
        ck_assert_str_eq(got.heartbeat_ack->controllers.v[1], "b:2");
        buf_clear(&out);
        m = (struct controller_message){.assignments = &assign};
        ck_assert_int_eq(message_encode_controller(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_controller(encoded(), &arena, &got, &err), 0);
        ck_assert(got.assignments->full && got.assignments->full_end);
        ck_assert_uint_eq(got.assignments->n_tasks, 2);
        ck_assert_uint_eq(got.assignments->tasks[0].spec.n, 2);
        ck_assert_uint_eq(got.assignments->tasks[1].spec.n, 0);
        ck_assert_str_eq(got.assignments->tasks[1].stop_reason, "why");
        ck_assert_uint_eq(got.assignments->forget[0].lo, 6);
        buf_clear(&out);
        m = (struct controller_message){.log_request = &log};
        ck_assert_int_eq(message_encode_controller(&m, &out, &err), 0);
        ck_assert_int_eq(message_decode_controller(encoded(), &arena, &got, &err), 0);
        ck_assert_int_eq(got.log_request->since, -1);
        ck_assert_str_eq(got.log_request->container, "web");
    }
END_TEST

static const char *const words[] = {"sh", "-c", "echo"};
static const struct spec_pair pairs[] = {{"A", "1"}, {"B", ""}};

static void fill(struct container_spec *c)
{
    static const struct spec_port ports[] = {{80, 32768, SPEC_UDP, "http"}};
    static const struct spec_ulimit ulimits[] = {{"nofile", -1, INT64_MIN}};
    static const struct spec_tmpfs tmpfs[] = {{"/tmp", 64, words, 2}};
    static const struct spec_mount mounts[] = {{"v", "/data", true}};
    static const struct spec_volumes_from from[] = {{"b", true}};
    static const struct spec_depends depends[] = {{"b", SPEC_COND_HEALTHY}};
    static const struct spec_host hosts[] = {{"h", "1.2.3.4"}};
    static const struct spec_link links[] = {{"b", "bee"}};
    static const struct spec_pair log[] = {{"max-size", "10m"}, {"max-file", "4"}};
    *c = (struct container_spec){.name = "a",
                                 .image = "img",
                                 .essential = true,
                                 .cpu_units = 7,
                                 .memory_mib = 8,
                                 .memory_reservation_mib = 9,
                                 .shm_size_mib = 10,
                                 .entry_point = words,
                                 .n_entry_point = 3,
                                 .command = words,
                                 .n_command = 1,
                                 .environment = pairs,
                                 .n_environment = 2,
                                 .working_directory = "/w",
                                 .user = "u",
                                 .hostname = "hh",
                                 .extra_hosts = hosts,
                                 .n_extra_hosts = 1,
                                 .links = links,
                                 .n_links = 1,
                                 .dns_servers = words,
                                 .n_dns_servers = 1,
                                 .dns_search = words,
                                 .n_dns_search = 2,
                                 .readonly_root_filesystem = true,
                                 .privileged = true,
                                 .init = true,
                                 .cap_add = words,
                                 .n_cap_add = 1,
                                 .cap_drop = words,
                                 .n_cap_drop = 1,
                                 .ulimits = ulimits,
                                 .n_ulimits = 1,
                                 .sysctls = pairs,
                                 .n_sysctls = 1,
                                 .tmpfs = tmpfs,
                                 .n_tmpfs = 1,
                                 .ports = ports,
                                 .n_ports = 1,
                                 .mounts = mounts,
                                 .n_mounts = 1,
                                 .volumes_from = from,
                                 .n_volumes_from = 1,
                                 .log = {.driver = "json-file", .options = log, .n_options = 2},
                                 .health = {.command = words,
                                            .n_command = 3,
                                            .interval_s = 1,
                                            .timeout_s = 2,
                                            .retries = 3,
                                            .start_period_s = 4},
                                 .depends_on = depends,
                                 .n_depends_on = 1,
                                 .labels = pairs,
                                 .n_labels = 2,
                                 .start_timeout_s = 5,
                                 .stop_timeout_s = 6};
}

START_TEST(a_specification_survives_the_round_trip)
    {
        static const struct spec_volume volumes[] = {{"v", SPEC_VOLUME_HOST, "/srv"}};
        struct container_spec containers[2];
        struct task_spec spec = {.arn = "arn:x",
                                 .net_mode = NET_MODE_AWSVPC,
                                 .generation = 1u << 31,
                                 .containers = containers,
                                 .n_containers = 2,
                                 .volumes = volumes,
                                 .n_volumes = 1};
        const struct task_spec *got;
        const struct container_spec *c;
        struct buf again;
        fill(&containers[0]);
        containers[1] = (struct container_spec){.name = "b", .image = "i"};
        ck_assert_int_eq(message_encode_spec(&spec, &out, &err), 0);
        ck_assert_msg(message_decode_spec(encoded(), (struct id){4, 2}, &arena, &got, &err) == 0,
                      "%s", err.text);
        ck_assert_uint_eq(got->id.hi, 4);
        ck_assert_int_eq(got->net_mode, NET_MODE_AWSVPC);
        ck_assert_str_eq(got->service, "");
        ck_assert_str_eq(got->volumes[0].host_path, "/srv");
        c = &got->containers[0];
        ck_assert_uint_eq(c->ports[0].host_port, 32768);
        ck_assert_int_eq(c->ports[0].protocol, SPEC_UDP);
        ck_assert_int_eq(c->ulimits[0].soft, -1);
        ck_assert_int_eq(c->ulimits[0].hard, INT64_MIN);
        ck_assert_str_eq(c->tmpfs[0].options[1], "-c");
        ck_assert_int_eq(c->depends_on[0].condition, SPEC_COND_HEALTHY);
        ck_assert_uint_eq(c->log.max_size, 10u << 20);
        ck_assert_uint_eq(c->log.max_files, 4);
        ck_assert_uint_eq(c->health.start_period_s, 4);
        ck_assert_uint_eq(got->containers[1].health.n_command, 0);
        ck_assert_str_eq(got->containers[1].log.driver, "");
        buf_init(&again, test_mem(), 4u << 20); /* Nothing was lost: it encodes to the same. */
        ck_assert_int_eq(message_encode_spec(got, &again, &err), 0);
        ck_assert_uint_eq(again.len, out.len);
        ck_assert_mem_eq(again.data, out.data, out.len);
        buf_close(&again);
    }
END_TEST

START_TEST(bad_log_options_are_named)
    {
        static const char *const bad[][2] = {
            {"max-size", "huge"}, {"max-file", "0"}, {"max-file", "x"}};
        struct spec_pair option = {bad[_i][0], bad[_i][1]};
        struct container_spec c = {
            .name = "a", .image = "i", .log = {.options = &option, .n_options = 1}};
        struct task_spec spec = {.containers = &c, .n_containers = 1};
        const struct task_spec *got;
        ck_assert_int_eq(message_encode_spec(&spec, &out, &err), 0);
        ck_assert_int_eq(message_decode_spec(encoded(), (struct id){4, 2}, &arena, &got, &err),
                         ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.text, bad[_i][0]));
    }
END_TEST

START_TEST(what_breaks_a_bound_is_named)
    {
        static const struct {
            struct str bytes;
            const char *text;
        } cases[] = {
            {{"\x0a\x02\x38\x0b", 4}, NULL},     /* Hello.port_min 11: fine. */
            {{"\x0a\x02\x10\x01", 4}, "type"},   /* Hello.name as a number. */
            {{"\x0a\x7f", 2}, "not a protocol"}, /* Longer than the input. */
            {{"\x0a", 1}, "not a protocol"},
            {{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, "not a protocol"},
            {{"\x0a\x04\x48\x80\x80\x04", 6}, "Hello.reserved_tcp"},
            {{"\x0a\x03\x12\x01\x00", 5}, "Hello.name: has a NUL"},
            {{"\x0a\x05\x72\x03\x0a\x01x", 7}, "TaskInventory.task_id: must have 16"},
            {{"\x0a\x04\x72\x02\x10\x08", 6}, "TaskInventory.status: 8 is not allowed"},
            {{"\x0a\x06\x20\x80\x80\x80\x80\x10", 8}, "Hello.cpu"}, /* 2^32 */
            {{"\x0a\x00\x12\x00", 4}, "2 contents"},
            {{"", 0}, "0 contents"},
            {{"\xf8\x7f\x01", 3}, "0 contents"}, /* Unknown fields are skipped. */
        };
        struct agent_message got;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            int rv = message_decode_agent(cases[i].bytes, &arena, &got, &err);
            ck_assert_int_eq(rv, cases[i].text == NULL ? 0 : ERR_PROTOCOL);
            if (cases[i].text != NULL) {
                ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%zu: %s", i, err.text);
            }
        }
    }
END_TEST

START_TEST(lists_are_bounded)
    {
        static struct container_spec containers[LIMIT_CONTAINERS + 1];
        struct task_spec spec = {.containers = containers, .n_containers = LIMIT_CONTAINERS + 1};
        const struct task_spec *got;
        ck_assert_int_eq(message_encode_spec(&spec, &out, &err), 0);
        ck_assert_int_eq(message_decode_spec(encoded(), (struct id){4, 2}, &arena, &got, &err),
                         ERR_PROTOCOL);
        ck_assert_str_eq(err.text, "TaskSpec.containers: more than 32");
    }
END_TEST

START_TEST(what_does_not_fit_is_too_big)
    {
        static const struct heartbeat beat = {
            .number = UINT64_MAX, .cpu_used = 1, .memory_used = 2, .tasks_running = 3};
        struct agent_message m = {.heartbeat = &beat};
        for (size_t max = 0; max < 19; max++) {
            struct buf small;
            buf_init(&small, test_mem(), max);
            ck_assert_int_eq(message_encode_agent(&m, &small, &err), ERR_TOOBIG);
            buf_close(&small);
        }
        ck_assert_int_eq(message_encode_agent(&m, &out, &err), 0);
        ck_assert_uint_eq(out.len, 19);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("agent messages");
    TCase *c = tcase_create("message");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, the_encoding_is_that_of_protocol_buffers);
    tcase_add_test(c, every_agent_message_survives_the_round_trip);
    tcase_add_test(c, every_controller_message_survives_the_round_trip);
    tcase_add_test(c, a_specification_survives_the_round_trip);
    tcase_add_loop_test(c, bad_log_options_are_named, 0, 3);
    tcase_add_test(c, what_breaks_a_bound_is_named);
    tcase_add_test(c, lists_are_bounded);
    tcase_add_test(c, what_does_not_fit_is_too_big);
    suite_add_tcase(s, c);
    return test_run(s);
}
