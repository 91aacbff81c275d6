#include "agent/net/ipam.h"
#include "tests/lib/test.h"

#include <string.h>

START_TEST(every_address_of_a_range_is_given_once)
    {
        static struct ipam p;
        static bool seen[4096];
        uint32_t ip = 0;
        ck_assert_int_eq(ipam_init(&p, STR("10.7.16.0/20"), NULL), 0);
        memset(seen, 0, sizeof seen);
        for (int i = 0; i < 4096 - 3; i++) {
            ck_assert_int_eq(ipam_take(&p, &ip, NULL), 0);
            ck_assert_uint_lt(ip - p.base, 4096);
            ck_assert(!seen[ip - p.base]);
            seen[ip - p.base] = true;
        }
        ck_assert(!seen[0] && !seen[1] && !seen[4095]);
        ck_assert_int_eq(ipam_take(&p, &ip, NULL), ERR_FULL);
        ipam_give_back(&p, p.base + 77);
        ck_assert_int_eq(ipam_take(&p, &ip, NULL), 0);
        ck_assert_uint_eq(ip, p.base + 77);
    }
END_TEST

START_TEST(an_address_given_back_is_the_last_to_be_given_again)
    {
        static struct ipam p;
        uint32_t first = 0;
        uint32_t ip = 0;
        ck_assert_int_eq(ipam_init(&p, STR("10.7.0.0/28"), NULL), 0);
        ck_assert_int_eq(ipam_take(&p, &first, NULL), 0);
        ipam_give_back(&p, first);
        for (int i = 0; i < 12; i++) {
            ck_assert_int_eq(ipam_take(&p, &ip, NULL), 0);
            ck_assert_uint_ne(ip, first);
        }
        ck_assert_int_eq(ipam_take(&p, &ip, NULL), 0);
        ck_assert_uint_eq(ip, first);
    }
END_TEST

START_TEST(reserved_and_foreign_addresses_are_left_alone)
    {
        static struct ipam p;
        uint32_t ip = 0;
        ck_assert_int_eq(ipam_init(&p, STR("10.7.0.0/28"), NULL), 0);
        ck_assert(!ipam_take_this(&p, p.base + 1));
        ck_assert(!ipam_take_this(&p, p.base + 15));
        ck_assert(!ipam_take_this(&p, p.base + 16));
        ck_assert(!ipam_take_this(&p, p.base - 1));
        ck_assert(ipam_take_this(&p, p.base + 2));
        ck_assert(!ipam_take_this(&p, p.base + 2));
        ipam_give_back(&p, p.base + 1); /* Never the gateway. */
        ipam_give_back(&p, 0);
        for (int i = 0; i < 12; i++) {
            ck_assert_int_eq(ipam_take(&p, &ip, NULL), 0);
            ck_assert_uint_gt(ip, p.base + 2);
        }
        ck_assert_int_eq(ipam_take(&p, &ip, NULL), ERR_FULL);
    }
END_TEST

START_TEST(ranges_and_addresses_that_are_none_are_refused)
    {
        static const char *const bad[] = {
            "",           "10.7.0.0",      "10.7.0.0/15",  "10.7.0.0/29", "10.7.0.1/24",
            "10.7.0/24",  "10.7.0.0.0/24", "256.0.0.0/24", "10.7.0.0/x",  "10..0.0/24",
            "a.b.c.d/24", "10.7.0.0000/24"};
        static struct ipam p;
        char text[IPAM_TEXT_MAX];
        uint32_t ip = 0;
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            ck_assert_msg(ipam_init(&p, str_of(bad[i]), NULL) == ERR_INVALID, "%s", bad[i]);
        }
        ck_assert(ip_parse(STR("255.0.1.20"), &ip));
        ip_text(ip, text);
        ck_assert_str_eq(text, "255.0.1.20");
        ck_assert(!ip_parse(STR("1.2.3"), &ip));
        ck_assert(!ip_parse(STR("1.2.3.4."), &ip));
        ck_assert(!ip_parse(STR("1.2.3.-4"), &ip));
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("ipam");
    TEST_CASE(s, "ipam", 10, every_address_of_a_range_is_given_once,
              an_address_given_back_is_the_last_to_be_given_again,
              reserved_and_foreign_addresses_are_left_alone,
              ranges_and_addresses_that_are_none_are_refused);
    return test_run(s);
}
