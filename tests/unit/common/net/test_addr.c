/* Addresses: text forms both ways, what is refused, and the resolver's promises. */
#include "common/loop/loop.h"
#include "common/net/addr.h"
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <string.h>

START_TEST(addresses_survive_text)
    {
        static const char *const good[] = {"10.0.0.1:7443", "[::1]:80", "0.0.0.0:0",
                                           "[fe80::1:2]:65535", "255.255.255.255:1"};
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
            struct addr a;
            struct addr b;
            char text[ADDR_TEXT_MAX];
            ck_assert_int_eq(addr_parse(str_of(good[i]), 0, &a, NULL), 0);
            ck_assert_str_eq(addr_text(&a, text), good[i]);
            ck_assert(addr_from_sockaddr(&a.u.sa, &b));
            ck_assert(addr_eq(&a, &b));
            ck_assert_uint_eq(addr_ip_hash(&a), addr_ip_hash(&b));
        }
    }
END_TEST

START_TEST(bad_addresses_are_refused_with_the_rule)
    {
        static const char *const bad[] = {
            "",           "1.2.3.4",    ":80",     "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1",
            "[::1]",      "[::1:80",    "[::1]80", "::1",      "1.2.3:80",      "host:80",
            "1.2.3.4:8 ", " 1.2.3.4:8", "[::1]:",  "[]:80",    "01.2.3.4:80",   "1.2.3.4:0x10"};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            struct addr a;
            struct err err = {0};
            ck_assert_msg(addr_parse(str_of(bad[i]), 0, &a, &err) == ERR_INVALID, "%s", bad[i]);
            ck_assert_uint_gt(strlen(err.text), 0);
        }
    }
END_TEST

START_TEST(a_default_port_fills_in)
    {
        struct addr a;
        char host[ADDR_HOST_MAX];
        uint16_t port;
        ck_assert_int_eq(addr_parse(STR("1.2.3.4"), 7443, &a, NULL), 0);
        ck_assert_uint_eq(addr_port(&a), 7443);
        ck_assert_int_eq(addr_parse(STR("[::1]"), 7443, &a, NULL), 0);
        ck_assert_uint_eq(addr_port(&a), 7443);
        ck_assert_int_eq(addr_parse(STR("fe80::1"), 7443, &a, NULL), 0);
        ck_assert_int_eq(addr_split(STR("node-1.example:80"), 0, host, &port, NULL), 0);
        ck_assert_str_eq(host, "node-1.example");
        ck_assert_uint_eq(port, 80);
    }
END_TEST

START_TEST(a_mapped_address_is_the_ipv4_one)
    {
        struct addr mapped;
        struct addr plain;
        ck_assert_int_eq(addr_parse(STR("[::ffff:10.1.2.3]:5"), 0, &mapped, NULL), 0);
        ck_assert_int_eq(addr_parse(STR("10.1.2.3:5"), 0, &plain, NULL), 0);
        ck_assert(!addr_eq(&mapped, &plain));
        ck_assert(addr_from_sockaddr(&mapped.u.sa, &mapped));
        ck_assert(addr_eq(&mapped, &plain));
        ck_assert(!addr_is_loopback(&plain));
        ck_assert_int_eq(addr_make(STR("127.9.9.9"), 1, &plain, NULL), 0);
        ck_assert(addr_is_loopback(&plain));
        memset(&plain, 0, sizeof plain);
        ck_assert(addr_is_none(&plain));
    }
END_TEST

struct lookup {
    int status;
    unsigned n;
    unsigned n_calls;
    struct addr first;
};

static void on_resolved(void *data, int status, const struct addr *addrs, unsigned n,
                        const struct err *err)
{
    struct lookup *l = data;
    ck_assert_int_eq(err->code, status);
    l->status = status;
    l->n = n;
    l->n_calls++;
    if (n > 0) {
        l->first = addrs[0];
    }
}

START_TEST(lookups_answer_once_from_the_loop_or_never_when_cancelled)
    {
        uv_loop_t loop;
        struct lookup numeric = {0};
        struct lookup name = {0};
        struct lookup bad = {0};
        struct lookup never = {0};
        struct addr_resolve *r;
        struct err err;
        ck_assert_int_eq(uv_loop_init(&loop), 0);
        ck_assert_int_eq(
            addr_resolve_start(&loop, STR("127.0.0.1:5"), 0, on_resolved, &numeric, &r, &err), 0);
        ck_assert_int_eq(
            addr_resolve_start(&loop, STR("localhost:6"), 0, on_resolved, &name, &r, &err), 0);
        ck_assert_int_eq(
            addr_resolve_start(&loop, STR("no such name:6"), 0, on_resolved, &bad, &r, &err), 0);
        ck_assert_int_eq(
            addr_resolve_start(&loop, STR("localhost:7"), 0, on_resolved, &never, &r, &err), 0);
        addr_resolve_cancel(r);
        ck_assert_int_eq(
            addr_resolve_start(&loop, STR("127.0.0.1:7"), 0, on_resolved, &never, &r, &err), 0);
        addr_resolve_cancel(r);
        ck_assert_int_eq(
            addr_resolve_start(&loop, STR("nothing"), 0, on_resolved, &never, &r, &err),
            ERR_INVALID);
        ck_assert_uint_eq(numeric.n_calls, 0);
        loop_drain(&loop);
        ck_assert_uint_eq(numeric.n_calls, 1);
        ck_assert_int_eq(numeric.status, 0);
        ck_assert_uint_eq(addr_port(&numeric.first), 5);
        ck_assert_uint_eq(name.n_calls, 1);
        ck_assert_int_eq(name.status, 0);
        ck_assert(addr_is_loopback(&name.first));
        ck_assert_uint_eq(addr_port(&name.first), 6);
        ck_assert_uint_eq(bad.n_calls, 1);
        ck_assert_int_eq(bad.status, ERR_UNAVAILABLE);
        ck_assert_uint_eq(never.n_calls, 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("addr");
    TEST_CASE(s, "addr", 30, addresses_survive_text, bad_addresses_are_refused_with_the_rule,
              a_default_port_fills_in, a_mapped_address_is_the_ipv4_one,
              lookups_answer_once_from_the_loop_or_never_when_cancelled);
    return test_run(s);
}
