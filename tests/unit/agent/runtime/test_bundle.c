#include "agent/runtime/bundle.h"
#include "agent/runtime/meta.h"
#include "agent/runtime/user.h"
#include "tests/lib/agent_rig.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* --- users
 * ---------------------------------------------------------------------------------------- */

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "www:x:1000:1001:www:/srv/www:/bin/sh\n"
                             "broken line\n"
                             "7:x:70:70::/seven:/bin/sh\n"
                             "bad:x:zz:1:::\n";
static const char group[] = "root:x:0:\nwww:x:1001:\naudio:x:29:other,www\nvideo:x:44:www\n";

START_TEST(users_are_found_by_name_and_number)
    {
        static const struct {
            const char *text;
            int rv;
            uint32_t uid, gid, n_groups;
            const char *home;
        } cases[] = {
            {"", 0, 0, 0, 0, "/root"},
            {"root", 0, 0, 0, 0, "/root"},
            {"www", 0, 1000, 1001, 2, "/srv/www"},
            {"1000", 0, 1000, 1001, 2, "/srv/www"},
            {"1000:5", 0, 1000, 5, 0, "/srv/www"},
            {"www:video", 0, 1000, 44, 0, "/srv/www"},
            {"4711", 0, 4711, 0, 0, "/"},
            {"4711:4712", 0, 4711, 4712, 0, "/"},
            {"nobody", ERR_INVALID, 0, 0, 0, ""},
            {"www:nogroup", ERR_INVALID, 0, 0, 0, ""},
            {"bad", ERR_INVALID, 0, 0, 0, ""},
            {"4294967295", ERR_INVALID, 0, 0, 0, ""},
            {"-1", ERR_INVALID, 0, 0, 0, ""},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct user u;
            int rv = user_lookup(str_of(passwd), str_of(group), str_of(cases[i].text), &u, NULL);
            ck_assert_msg(rv == cases[i].rv, "%s: %d", cases[i].text, rv);
            if (rv == 0) {
                ck_assert_uint_eq(u.uid, cases[i].uid);
                ck_assert_uint_eq(u.gid, cases[i].gid);
                ck_assert_uint_eq(u.n_groups, cases[i].n_groups);
                ck_assert_str_eq(u.home, cases[i].home);
            }
        }
    }
END_TEST

/* --- records
 * ---------------------------------------------------------------------------------------- */

START_TEST(meta_survives_the_round_trip_and_damage_is_noticed)
    {
        static const struct spec_port ports[] = {{80, 8080, SPEC_TCP, ""},
                                                 {53, 5353, SPEC_UDP, ""}};
        struct meta m = {.task = {1, 2},
                         .name = "main",
                         .image = {DIGEST, DIGEST},
                         .net_mode = NET_MODE_BRIDGE,
                         .ip = 0xac1d0002,
                         .ports = ports,
                         .n_ports = 2,
                         .stop_signal = 15};
        struct meta back;
        struct arena arena;
        char *text = meta_format(&m);
        size_t n = strlen(text);
        arena_init(&arena, test_mem());
        ck_assert_int_eq(meta_parse(str_of(text), &arena, &back, NULL), 0);
        ck_assert(id_eq(back.task, m.task));
        ck_assert_str_eq(back.name, "main");
        ck_assert_str_eq(back.image.id, DIGEST);
        ck_assert_uint_eq(back.ip, m.ip);
        ck_assert_uint_eq(back.n_ports, 2);
        ck_assert_uint_eq(back.ports[1].host_port, 5353);
        ck_assert_int_eq(back.ports[1].protocol, SPEC_UDP);
        for (size_t i = 0; i < n; i++) { /* Torn at any byte. */
            ck_assert_int_eq(meta_parse(str_make(text, i), &arena, &back, NULL), ERR_CORRUPT);
        }
        free(text);
        arena_close(&arena);
    }
END_TEST

START_TEST(state_files_are_read_and_unknown_keys_passed_over)
    {
        static const char text[] = "ecs-shim 1\nphase exited\nboot 12-34\npid 77\npid_start 99\n"
                                   "shim_pid 70\nshim_pid_start 90\nstarted_at_ms 1000\n"
                                   "finished_at_ms 2000\nexit_code 137\nsignal 9\noom_kills 2\n"
                                   "lost_lines 0\nnew_key x\n";
        struct shim_state s;
        ck_assert_int_eq(shim_state_parse(str_of(text), &s, NULL), 0);
        ck_assert_int_eq(s.phase, SHIM_PHASE_EXITED);
        ck_assert_int_eq(s.pid, 77);
        ck_assert_uint_eq(s.pid_start, 99);
        ck_assert_int_eq(s.exit_code, 137);
        ck_assert_uint_eq(s.oom_kills, 2);
        ck_assert_str_eq(s.boot, "12-34");
        ck_assert_int_eq(shim_state_parse(STR(""), &s, NULL), ERR_CORRUPT);
        ck_assert_int_eq(shim_state_parse(STR("ecs-shim 2\nphase exited\n"), &s, NULL),
                         ERR_CORRUPT);
        ck_assert_int_eq(shim_state_parse(STR("ecs-shim 1\npid 1\n"), &s, NULL), ERR_CORRUPT);
        ck_assert_int_eq(
            shim_state_parse(STR("ecs-shim 1\nphase exited\npid 99999999999\n"), &s, NULL),
            ERR_CORRUPT);
    }
END_TEST

START_TEST(stop_signals_are_understood_in_all_their_spellings)
    {
        ck_assert_int_eq(signal_parse("SIGQUIT"), SIGQUIT);
        ck_assert_int_eq(signal_parse("USR1"), SIGUSR1);
        ck_assert_int_eq(signal_parse("9"), SIGKILL);
        ck_assert_int_eq(signal_parse(""), SIGTERM);
        ck_assert_int_eq(signal_parse("SIGNONSENSE"), SIGTERM);
        ck_assert_int_eq(signal_parse("0"), SIGTERM);
        ck_assert_int_eq(signal_parse("999"), SIGTERM);
    }
END_TEST

START_TEST(names_that_could_leave_the_directory_are_refused)
    {
        static const char *const bad[] = {"",    ".",   "..",  "a/b",     "../a",
                                          "a b", "a.b", "a\n", "\xc3\xa4"};
        char longest[SPEC_NAME_MAX + 2];
        char id[CONTAINER_ID_MAX];
        char other[CONTAINER_ID_MAX];
        struct exec_key key = {{1, 2}, longest};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            ck_assert(!container_name_ok(bad[i]));
        }
        memset(longest, 'a', sizeof longest);
        longest[SPEC_NAME_MAX] = '\0';
        ck_assert(container_name_ok(longest));
        container_id(key, id);
        longest[SPEC_NAME_MAX - 1] = 'b'; /* Long names stay different though they are cut. */
        container_id(key, other);
        ck_assert_str_ne(id, other);
        ck_assert_uint_lt(strlen(id), 200);
        longest[SPEC_NAME_MAX] = 'a';
        longest[SPEC_NAME_MAX + 1] = '\0';
        ck_assert(!container_name_ok(longest));
    }
END_TEST

/* --- bundle
 * ----------------------------------------------------------------------------------------- */

struct fixture {
    struct runtime rt;
    struct image image;
    struct user user;
    struct bundle b;
    const char *command[1];
};

static struct bundle *fixture(struct fixture *f, struct task_spec *task)
{
    memset(f, 0, sizeof *f);
    f->rt.options.node_name = "n";
    f->rt.options.cgroup_parent = "/ecs";
    f->rt.options.pids_limit = 100;
    f->rt.options.shim = "/bin/true";
    f->rt.seccomp = (char *)(uintptr_t) "QUJD";
    f->rt.cgroup.swap = true;
    f->command[0] = "/from-image";
    f->image.config.command = f->command;
    f->image.config.n_command = 1;
    f->image.config.working_directory = "/w";
    f->user.home[0] = '/';
    f->b = (struct bundle){.rt = &f->rt,
                           .task = task,
                           .spec = task->containers,
                           .image = &f->image,
                           .user = &f->user,
                           .dir = "/c"};
    return &f->b;
}

static json_t *at(json_t *o, const char *path)
{
    struct str rest = str_of(path);
    while (rest.n > 0 && o != NULL) {
        char key[64];
        str_copy(key, sizeof key, str_cut(rest, '.', &rest));
        o = json_is_array(o) ? json_array_get(o, strtoul(key, NULL, 10)) : json_object_get(o, key);
    }
    return o;
}

START_TEST(defaults_are_the_safe_ones)
    {
        struct fixture f;
        struct task_spec *task = rig_task(0, 1, NULL);
        struct err err = {0};
        json_t *c = bundle_config(fixture(&f, task), &err);
        ck_assert_msg(c != NULL, "%s", err.text);
        ck_assert_str_eq(json_string_value(at(c, "process.args.0")), "/from-image");
        ck_assert_str_eq(json_string_value(at(c, "process.cwd")), "/w");
        ck_assert(json_is_true(at(c, "process.noNewPrivileges")));
        ck_assert_uint_eq(json_array_size(at(c, "process.capabilities.bounding")), 11);
        ck_assert_uint_eq(json_array_size(at(c, "process.capabilities.effective")), 11);
        ck_assert(!json_is_true(at(c, "linux.resources.devices.0.allow")));
        ck_assert_int_eq(json_integer_value(at(c, "linux.resources.pids.limit")), 100);
        ck_assert_int_eq(json_integer_value(at(c, "linux.resources.cpu.shares")), 2);
        ck_assert_str_eq(
            json_string_value(json_object_get(at(c, "annotations"), "run.oci.seccomp_bpf_data")),
            "QUJD");
        ck_assert_uint_gt(json_array_size(at(c, "linux.maskedPaths")), 10);
        ck_assert_str_eq(json_string_value(at(c, "linux.cgroupsPath")),
                         "/ecs/1234567890abcdef0000000000000001/main");
        json_decref(c);
        f.user.uid = 5;
        c = bundle_config(&f.b, &err);
        ck_assert_uint_eq(json_array_size(at(c, "process.capabilities.effective")), 0);
        json_decref(c);
    }
END_TEST

START_TEST(commands_follow_the_rules_of_docker)
    {
        static const char *const image_entry[] = {"/entry"};
        static const char *const words[] = {"x", "y"};
        struct fixture f;
        struct task_spec *task = rig_task(0, 1, NULL);
        struct container_spec *spec = rig_container(task);
        json_t *c;
        fixture(&f, task);
        f.image.config.entry_point = image_entry;
        f.image.config.n_entry_point = 1;
        c = bundle_config(&f.b, NULL); /* Both the image's. */
        ck_assert_str_eq(json_string_value(at(c, "process.args.1")), "/from-image");
        json_decref(c);
        spec->command = words;
        spec->n_command = 2;
        c = bundle_config(&f.b, NULL); /* The image's entry point, the task's command. */
        ck_assert_str_eq(json_string_value(at(c, "process.args.0")), "/entry");
        ck_assert_str_eq(json_string_value(at(c, "process.args.2")), "y");
        json_decref(c);
        spec->entry_point = words;
        spec->n_entry_point = 1;
        spec->n_command = 0;
        c = bundle_config(&f.b, NULL); /* An entry point drops the image's command. */
        ck_assert_uint_eq(json_array_size(at(c, "process.args")), 1);
        json_decref(c);
        spec->n_entry_point = 0;
        f.image.config.n_entry_point = f.image.config.n_command = 0;
        ck_assert_ptr_null(bundle_config(&f.b, NULL));
    }
END_TEST

START_TEST(capability_lists_add_and_drop)
    {
        static const char *const all[] = {"ALL"};
        static const char *const one[] = {"CAP_NET_ADMIN"};
        static const char *const none[] = {"CAP_NONSENSE"};
        struct fixture f;
        struct task_spec *task = rig_task(0, 1, NULL);
        struct container_spec *spec = rig_container(task);
        json_t *c;
        fixture(&f, task);
        spec->cap_drop = all;
        spec->n_cap_drop = 1;
        c = bundle_config(&f.b, NULL);
        ck_assert_uint_eq(json_array_size(at(c, "process.capabilities.bounding")), 0);
        json_decref(c);
        spec->cap_add = one;
        spec->n_cap_add = 1;
        c = bundle_config(&f.b, NULL);
        ck_assert_str_eq(json_string_value(at(c, "process.capabilities.bounding.0")),
                         "CAP_NET_ADMIN");
        ck_assert_uint_eq(json_array_size(at(c, "process.capabilities.bounding")), 1);
        json_decref(c);
        spec->cap_add = none;
        ck_assert_ptr_null(bundle_config(&f.b, NULL));
    }
END_TEST

START_TEST(limits_are_clamped_to_what_this_process_may_set)
    {
        static struct spec_ulimit limits[] = {{"nofile", -1, -1}, {"core", 0, 5}};
        struct fixture f;
        struct task_spec *task = rig_task(0, 1, NULL);
        struct container_spec *spec = rig_container(task);
        json_t *c;
        spec->ulimits = limits;
        spec->n_ulimits = 2;
        c = bundle_config(fixture(&f, task), NULL);
        ck_assert_int_gt(json_integer_value(at(c, "process.rlimits.0.hard")), 0);
        ck_assert_int_le(json_integer_value(at(c, "process.rlimits.0.soft")),
                         json_integer_value(at(c, "process.rlimits.0.hard")));
        ck_assert_int_eq(json_integer_value(at(c, "process.rlimits.1.hard")), 5);
        json_decref(c);
        limits[1].name = "nonsense";
        ck_assert_ptr_null(bundle_config(&f.b, NULL));
        limits[1].name = "core";
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("bundle");
    TEST_CASE(s, "bundle", 10, users_are_found_by_name_and_number,
              meta_survives_the_round_trip_and_damage_is_noticed,
              state_files_are_read_and_unknown_keys_passed_over,
              stop_signals_are_understood_in_all_their_spellings,
              names_that_could_leave_the_directory_are_refused, defaults_are_the_safe_ones,
              commands_follow_the_rules_of_docker, capability_lists_add_and_drop,
              limits_are_clamped_to_what_this_process_may_set);
    return test_run(s);
}
