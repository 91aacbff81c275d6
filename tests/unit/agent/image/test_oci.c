#include "agent/image/oci.h"
#include "agent/image/ref.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

START_TEST(references_fall_into_their_parts)
    {
        static const struct {
            const char *text, *host, *path, *tag, *digest;
        } cases[] = {
            {"busybox", "", "busybox", "", ""},
            {"library/busybox:1.35", "", "library/busybox", "1.35", ""},
            {"localhost/x", "localhost", "x", "", ""},
            {"127.0.0.1:5000/demo:v1", "127.0.0.1:5000", "demo", "v1", ""},
            {"registry.example/a/b_c/d-e@" DIGEST, "registry.example", "a/b_c/d-e", "", DIGEST},
            {"r.io/x:tag@" DIGEST, "r.io", "x", "tag", DIGEST},
            {"[::1]:5000/x", "[::1]:5000", "x", "", ""},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct ref r;
            struct err err = {0};
            ck_assert_msg(ref_parse(str_of(cases[i].text), &r, &err) == 0, "%s", err.text);
            ck_assert(str_eqc(r.host, cases[i].host));
            ck_assert(str_eqc(r.path, cases[i].path));
            ck_assert(str_eqc(r.tag, cases[i].tag));
            ck_assert(str_eqc(r.digest, cases[i].digest));
        }
    }
END_TEST

START_TEST(references_that_could_mean_something_else_are_refused)
    {
        static const char *const bad[] = {
            "",
            "/x",
            "x/",
            "a//b",
            "a b",
            "--option",
            "-x",
            "x:",
            "x:-t",
            "x:.t",
            "x:a:b",
            "x@",
            "x@sha256:12",
            ("x@" DIGEST "0"),
            ("x@md5:" HEX),
            "host:80/",
            "a/../b",
            "a/.b",
            "x:t\n",
            "h$.io/x",
            "x?y",
        };
        struct ref r;
        char longest[REF_MAX + 2];
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            ck_assert_msg(ref_parse(str_of(bad[i]), &r, NULL) == ERR_INVALID, "%s", bad[i]);
        }
        memset(longest, 'a', sizeof longest - 1);
        longest[sizeof longest - 1] = '\0';
        ck_assert_int_eq(ref_parse(str_of(longest), &r, NULL), ERR_INVALID);
        ck_assert(ref_host_is_local(STR("127.0.0.1:5000")));
        ck_assert(ref_host_is_local(STR("169.254.169.254")));
        ck_assert(ref_host_is_local(STR("localhost:80")));
        ck_assert(!ref_host_is_local(STR("registry.example")));
    }
END_TEST

static int parse_manifest(const char *json, struct oci_manifest *m)
{
    static struct arena arena;
    arena_close(&arena);
    arena_init(&arena, test_mem());
    return oci_manifest_parse(str_of(json), &arena, m, NULL);
}

#define BLOB(size) "{\"digest\":\"" DIGEST "\",\"size\":" size "}"

START_TEST(manifests_are_read_and_their_limits_hold)
    {
        static char many[64 * 1024];
        struct oci_manifest m;
        size_t n;
        ck_assert_int_eq(
            parse_manifest("{\"config\":" BLOB("10") ",\"layers\":[" BLOB("20") "," BLOB("30") "]}",
                           &m),
            0);
        ck_assert_str_eq(m.config.digest, DIGEST);
        ck_assert_uint_eq(m.n_layers, 2);
        ck_assert_uint_eq(m.layers[1].size, 30);
        ck_assert_uint_eq(m.layers_size, 50);
        ck_assert_int_eq(parse_manifest("{\"config\":" BLOB("10") ",\"layers\":[]}", &m),
                         ERR_INVALID);
        ck_assert_int_eq(parse_manifest("{\"layers\":[" BLOB("1") "]}", &m), ERR_INVALID);
        ck_assert_int_eq(
            parse_manifest("{\"config\":" BLOB("-1") ",\"layers\":[" BLOB("1") "]}", &m),
            ERR_INVALID);
        ck_assert_int_eq(parse_manifest("{\"config\":" BLOB("1") ",\"config\":" BLOB("1") "}", &m),
                         ERR_PARSE);
        ck_assert_int_eq(parse_manifest("[]", &m), ERR_PARSE);
        ck_assert_int_eq(parse_manifest("", &m), ERR_PARSE);
        n = (size_t)snprintf(many, sizeof many, "{\"config\":" BLOB("1") ",\"layers\":[" BLOB("1"));
        for (int i = 0; i < OCI_LAYERS_MAX; i++) {
            n += (size_t)snprintf(many + n, sizeof many - n, "," BLOB("1"));
        }
        snprintf(many + n, sizeof many - n, "]}");
        ck_assert_int_eq(parse_manifest(many, &m), ERR_INVALID);
    }
END_TEST

START_TEST(configurations_are_read_with_everything_optional_absent_or_null)
    {
        static const char full[] =
            "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]},\"config\":{"
            "\"Entrypoint\":[\"/a\",\"b\"],\"Cmd\":null,\"Env\":[\"A=1\"],\"User\":\"u:g\","
            "\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGQUIT\",\"ExposedPorts\":{\"80/tcp\":{}},"
            "\"Volumes\":{\"/data\":{}},\"Labels\":{\"x\":\"y\"}}}";
        static const char *const bad[] = {
            "{}",
            "{\"rootfs\":{\"diff_ids\":[]}}",
            "{\"rootfs\":{\"diff_ids\":[\"sha256:zz\"]}}",
            "{\"rootfs\":{\"diff_ids\":[\"" DIGEST "\"]},\"config\":[]}",
            "{\"rootfs\":{\"diff_ids\":[\"" DIGEST "\"]},\"config\":{\"Env\":\"A\"}}",
            "{\"rootfs\":{\"diff_ids\":[\"" DIGEST "\"]},\"config\":{\"Cmd\":[1]}}",
            "{\"rootfs\":{\"diff_ids\":[\"" DIGEST "\"]},\"config\":{\"User\":5}}",
            "{\"rootfs\":{\"diff_ids\":[\"" DIGEST "\"]},\"config\":{\"Volumes\":[]}}",
        };
        struct arena arena;
        struct oci_config c;
        struct err err = {0};
        arena_init(&arena, test_mem());
        ck_assert_msg(oci_config_parse(str_of(full), &arena, &c, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(c.n_diff_ids, 1);
        ck_assert_uint_eq(c.n_entry_point, 2);
        ck_assert_str_eq(c.entry_point[1], "b");
        ck_assert_uint_eq(c.n_command, 0);
        ck_assert_str_eq(c.environment[0], "A=1");
        ck_assert_str_eq(c.user, "u:g");
        ck_assert_str_eq(c.stop_signal, "SIGQUIT");
        ck_assert_str_eq(c.ports[0], "80/tcp");
        ck_assert_str_eq(c.volumes[0], "/data");
        ck_assert_int_eq(
            oci_config_parse(STR("{\"rootfs\":{\"diff_ids\":[\"" DIGEST "\"]}}"), &arena, &c, &err),
            0);
        ck_assert_str_eq(c.user, "");
        ck_assert_str_eq(c.working_directory, "");
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            ck_assert_msg(oci_config_parse(str_of(bad[i]), &arena, &c, &err) == ERR_INVALID, "%s",
                          bad[i]);
        }
        arena_close(&arena);
    }
END_TEST

START_TEST(an_index_points_to_one_manifest)
    {
        struct oci_blob blob;
        ck_assert_int_eq(oci_index_parse(STR("{\"manifests\":[" BLOB("5") "]}"), &blob, NULL), 0);
        ck_assert_str_eq(oci_digest_hex(blob.digest), HEX);
        ck_assert_int_eq(
            oci_index_parse(STR("{\"manifests\":[" BLOB("5") "," BLOB("5") "]}"), &blob, NULL),
            ERR_INVALID);
        ck_assert_int_eq(oci_index_parse(STR("{}"), &blob, NULL), ERR_INVALID);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("oci");
    TEST_CASE(s, "oci", 10, references_fall_into_their_parts,
              references_that_could_mean_something_else_are_refused,
              manifests_are_read_and_their_limits_hold,
              configurations_are_read_with_everything_optional_absent_or_null,
              an_index_points_to_one_manifest);
    return test_run(s);
}
