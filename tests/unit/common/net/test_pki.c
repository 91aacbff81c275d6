/* Certificates: what is issued can be verified, and everything else is refused. */
#include "common/loop/loop.h"
#include "common/net/pki.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1767225600) /* 2026-01-01 */

static struct str text_of(const struct buf *b)
{
    return str_make((const char *)b->data, b->len);
}

struct world {
    struct buf ca_key;
    struct buf ca;
    struct buf key;
    struct buf csr;
    struct buf cert;
};

static void open_world(struct world *w, enum pki_key_type type)
{
    struct buf *all = &w->ca_key;
    for (int i = 0; i < 5; i++) {
        buf_init(&all[i], test_mem(), PKI_PEM_MAX);
    }
    ck_assert_int_eq(pki_key_create(type, &w->ca_key, NULL), 0);
    ck_assert_int_eq(
        pki_ca_create(text_of(&w->ca_key), "test.ecs", NOW, NOW + 365 * PKI_DAY_S, &w->ca, NULL),
        0);
    ck_assert_int_eq(pki_key_create(type, &w->key, NULL), 0);
    ck_assert_int_eq(pki_csr_create(text_of(&w->key), &w->csr, NULL), 0);
}

static void close_world(struct world *w)
{
    struct buf *all = &w->ca_key;
    for (int i = 0; i < 5; i++) {
        buf_close(&all[i]);
    }
    ck_assert_uint_eq(test_mem_in_use(), 0);
}

static struct pki_request agent_request(void)
{
    static const char *const sans[] = {"10.0.0.1", "::1", "node-1.example"};
    struct pki_request r = {.role = PKI_ROLE_AGENT,
                            .domain = "test.ecs",
                            .id = "node-1",
                            .sans = sans,
                            .n_sans = 3,
                            .not_before_s = NOW,
                            .not_after_s = NOW + 7 * PKI_DAY_S};
    return r;
}

static int issue(struct world *w, const struct pki_request *r, struct err *err)
{
    buf_clear(&w->cert);
    return pki_cert_issue(text_of(&w->ca), text_of(&w->ca_key), text_of(&w->csr), r, &w->cert, err);
}

START_TEST(an_issued_certificate_verifies_and_names_its_owner)
    {
        struct world w;
        struct pki_request r = agent_request();
        struct pki_identity id;
        char pin[PKI_PIN_MAX];
        open_world(&w, _i == 0 ? PKI_KEY_P256 : PKI_KEY_ED25519);
        ck_assert_int_eq(issue(&w, &r, NULL), 0);
        ck_assert_int_eq(
            pki_cert_verify(text_of(&w.ca), text_of(&w.cert), NOW + PKI_DAY_S, &id, NULL), 0);
        ck_assert_int_eq(id.role, PKI_ROLE_AGENT);
        ck_assert_str_eq(id.domain, "test.ecs");
        ck_assert_str_eq(id.id, "node-1");
        ck_assert_uint_eq(strlen(id.serial), 32);
        ck_assert_int_eq(id.not_before_s, NOW);
        ck_assert_int_eq(id.not_after_s, NOW + 7 * PKI_DAY_S);
        ck_assert_int_eq(pki_key_matches(text_of(&w.cert), text_of(&w.key), NULL), 0);
        ck_assert_int_eq(pki_key_matches(text_of(&w.cert), text_of(&w.ca_key), NULL), ERR_INVALID);
        ck_assert_int_eq(pki_pin(text_of(&w.ca), pin, NULL), 0);
        ck_assert_uint_eq(strlen(pin), 64);
        ck_assert_int_eq(pki_cert_identity(text_of(&w.ca), &id, NULL), ERR_NOTFOUND);
        close_world(&w);
    }
END_TEST

START_TEST(wrong_time_and_wrong_ca_are_refused)
    {
        struct world w;
        struct world other;
        struct pki_request r = agent_request();
        open_world(&w, PKI_KEY_P256);
        open_world(&other, PKI_KEY_P256);
        ck_assert_int_eq(issue(&w, &r, NULL), 0);
        ck_assert_int_eq(
            pki_cert_verify(text_of(&w.ca), text_of(&w.cert), NOW + 8 * PKI_DAY_S, NULL, NULL),
            ERR_DENIED);
        ck_assert_int_eq(
            pki_cert_verify(text_of(&w.ca), text_of(&w.cert), NOW - PKI_DAY_S, NULL, NULL),
            ERR_DENIED);
        ck_assert_int_eq(pki_cert_verify(text_of(&other.ca), text_of(&w.cert), NOW, NULL, NULL),
                         ERR_DENIED);
        ck_assert_int_eq(pki_cert_verify(STR(""), text_of(&w.cert), NOW, NULL, NULL), ERR_INVALID);
        buf_close(&other.ca_key);
        buf_close(&other.ca);
        buf_close(&other.key);
        buf_close(&other.csr);
        close_world(&w);
    }
END_TEST

START_TEST(bad_requests_name_the_field)
    {
        struct world w;
        struct err err;
        static const char *const bad_san[] = {"not a name"};
        static const char *const evil_san[] = {"a,URI:ecs://test.ecs/admin/x"};
        struct pki_request r;
        open_world(&w, PKI_KEY_P256);
        r = agent_request(), r.role = PKI_ROLE_NONE;
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "role") != NULL);
        r = agent_request(), r.domain = "UPPER";
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "domain") != NULL);
        r = agent_request(), r.id = "a/b";
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "id") != NULL);
        r = agent_request(), r.id = NULL;
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "id") != NULL);
        r = agent_request(), r.sans = bad_san, r.n_sans = 1;
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "SAN") != NULL);
        r = agent_request(), r.sans = evil_san, r.n_sans = 1;
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "SAN") != NULL);
        r = agent_request(), r.not_after_s = NOW;
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "validity") != NULL);
        r = agent_request(), r.not_after_s = NOW + 366 * PKI_DAY_S;
        ck_assert(issue(&w, &r, &err) == ERR_INVALID && strstr(err.text, "outlive") != NULL);
        ck_assert_uint_eq(w.cert.len, 0);
        close_world(&w);
    }
END_TEST

/* Any damaged byte of a request must not lead to a certificate, nor to a crash. */
START_TEST(a_damaged_signing_request_is_refused)
    {
        struct world w;
        struct pki_request r = agent_request();
        unsigned n_refused = 0;
        open_world(&w, PKI_KEY_P256);
        for (size_t i = 40; i + 40 < w.csr.len; i += 3) {
            uint8_t was = w.csr.data[i];
            w.csr.data[i] = was == 'A' ? 'B' : 'A';
            n_refused += issue(&w, &r, NULL) == ERR_INVALID;
            w.csr.data[i] = was;
        }
        ck_assert_uint_gt(n_refused, 50);
        ck_assert_int_eq(issue(&w, &r, NULL), 0);
        close_world(&w);
    }
END_TEST

START_TEST(files_are_replaced_whole_with_the_mode_asked_for)
    {
        char dir[] = "/tmp/test_pki.XXXXXX";
        char path[64];
        struct buf back;
        struct stat st;
        struct err err;
        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof path, "%s/key.pem", dir);
        buf_init(&back, test_mem(), PKI_PEM_MAX);
        ck_assert_int_eq(pki_file_read(path, &back, &err), ERR_NOTFOUND);
        ck_assert_int_eq(pki_file_write(path, STR("one"), 0600, &err), 0);
        ck_assert_int_eq(pki_file_write(path, STR("second"), 0600, &err), 0);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0600);
        ck_assert_int_eq(pki_file_read(path, &back, &err), 0);
        ck_assert(str_eqc(text_of(&back), "second"));
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(rmdir(dir), 0); /* No temporary file was left behind. */
        ck_assert_int_eq(pki_file_write(path, STR("x"), 0600, &err), ERR_NOTFOUND);
        buf_close(&back);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("pki");
    TCase *both = tcase_create("key types");
    tcase_add_loop_test(both, an_issued_certificate_verifies_and_names_its_owner, 0, 2);
    suite_add_tcase(s, both);
    TEST_CASE(s, "pki", 30, wrong_time_and_wrong_ca_are_refused, bad_requests_name_the_field,
              a_damaged_signing_request_is_refused,
              files_are_replaced_whole_with_the_mode_asked_for);
    return test_run(s);
}
