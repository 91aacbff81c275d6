/* The cluster query language and its patterns: tables of cases, precedence, errors, round trips. */
#include "common/base/buf.h"
#include "common/base/prng.h"
#include "controller/core/placement/query.h"
#include "controller/core/placement/regex.h"
#include "tests/lib/test.h"

#include <string.h>

/* --- patterns --------------------------------------------------------------------------------- */

struct pattern_case {
    const char *pattern;
    const char *yes; /* Texts that match, separated by blanks; "~" is the empty one. */
    const char *no;
};

static const struct pattern_case patterns[] = {
    {"t2.*", "t2. t2.micro t2x t2", "at2. t"},
    {"", "~", "a"},
    {"a|b|cd", "a b cd", "ab c abcd ~"},
    {"(a|b)*c", "c ac abbac", "ab ~ cc"},
    {"(?:ab)+", "ab abab", "~ aba"},
    {"a{3}", "aaa", "aa aaaa"},
    {"a{2,}", "aa aaaaaaa", "a ~"},
    {"a{1,3}b", "ab aaab", "b aaaab"},
    {"a{0}b", "b", "ab"},
    {"(a{2}b){2}", "aabaab", "aab aabab"},
    {"a?b??c", "c ac abc bc", "aac"},
    {"[a-c]+\\d", "a1 abc9", "d1 a 1"},
    {"[^a-c]", "d -", "a ~ dd"},
    {"[-a]", "- a", "b"},
    {"[a-]", "- a", "b"},
    {"[]a]+", "] a ]a", "b"},
    {"[\\d.]+", "1.2 1", "a"},
    {"[\\]\\-]", "] -", "\\"},
    {"\\w+\\.\\w+", "g2.large a_1.B", "g2large g2."},
    {"\\W\\D", "-x", "ax -1"},
    {"\\Qa.b*\\E.", "a.b*x", "axb*x"},
    {"^a.c$", "abc a.c", "ac abcd"},
    {"(^a|b)c", "ac bc", "xc"},
    {"a^b", "", "ab a^b"},
    {"(a*)*b", "b aaab", "a"},
    {"(|a)+", "~ a aaa", "b"},
    {"(a|b|)(c|)", "~ a b c ac bc", "cc ca"},
    {"x\\$\\{y", "x${y", "x"},
    {"(i3|m5)\\.(\\d+)?x?large", "i3.large m5.24xlarge", "m5.24 c5.large"},
};

static struct str next_word(const char **at)
{
    const char *from = *at + strspn(*at, " ");
    size_t n = strcspn(from, " ");
    *at = from + n;
    return n == 1 && from[0] == '~' ? STR("") : str_make(from, n);
}

static void check_words(const struct regex *r, const char *pattern, const char *words, bool want)
{
    for (const char *at = words; at[strspn(at, " ")] != '\0';) {
        struct str word = next_word(&at);
        ck_assert_msg(regex_match(r, word) == want, "%s on \"%.*s\"", pattern, STR_ARG(word));
    }
}

START_TEST(a_pattern_matches_whole_texts_only)
    {
        for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
            struct regex *r;
            struct err err = {0};
            ck_assert_msg(regex_parse(test_mem(), str_of(patterns[i].pattern), &r, &err) == 0,
                          "%s: %s", patterns[i].pattern, err.text);
            check_words(r, patterns[i].pattern, patterns[i].yes, true);
            check_words(r, patterns[i].pattern, patterns[i].no, false);
            regex_close(r);
        }
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_pattern_that_is_none_says_where)
    {
        static const struct {
            const char *pattern;
            const char *where;
        } cases[] = {
            {"a(b", "column 4: expected )"},
            {"a)b", "column 2: this )"},
            {"*a", "column 1: there is nothing to repeat"},
            {"a**", "column 3: there is nothing"},
            {"a++", "column 3: possessive"},
            {"a{x}", "column 2: expected {m}"},
            {"a{3,2}", "column 2: expected {m}"},
            {"a{256}", "column 2: expected {m}"},
            {"a{2", "column 2: expected {m}"},
            {"[ab", "column 1: this class is not closed"},
            {"[b-a]", "column 4: this range"},
            {"[a[b]]", "column 3: unions"},
            {"\\", "column 2: expected a character"},
            {"\\b", "column 1: this escape"},
            {"\\1", "column 1: this escape"},
            {"(?=a)", "column 2: only groups"},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct regex *r;
            struct err err = {0};
            int rv = regex_parse(test_mem(), str_of(cases[i].pattern), &r, &err);
            ck_assert_int_eq(rv, ERR_PARSE);
            ck_assert_msg(strstr(err.text, cases[i].where) != NULL, "%s: %s", cases[i].pattern,
                          err.text);
        }
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_pattern_that_would_be_too_big_is_refused)
    {
        struct regex *r;
        struct err err = {0};
        ck_assert_int_eq(regex_parse(test_mem(), STR("((a{200}){200})"), &r, &err), ERR_TOOBIG);
        char deep[200];
        memset(deep, '(', 100);
        memset(deep + 100, ')', 100);
        ck_assert_int_eq(regex_parse(test_mem(), str_make(deep, 200), &r, &err), ERR_PARSE);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* (a?){n}a{n} on a^n takes a backtracking matcher 2^n steps. */
START_TEST(no_pattern_takes_long)
    {
        struct regex *r;
        char text[128];
        memset(text, 'a', sizeof text);
        ck_assert_int_eq(regex_parse(test_mem(), STR("(a?){100}a{100}"), &r, NULL), 0);
        ck_assert(regex_match(r, str_make(text, 128)));
        ck_assert(!regex_match(r, str_make(text, 99)));
        regex_close(r);
        ck_assert_int_eq(regex_parse(test_mem(), STR("(a*)*(a*)*(a|aa)+b"), &r, NULL), 0);
        for (int i = 0; i < 1000; i++) {
            ck_assert(!regex_match(r, str_make(text, sizeof text)));
        }
        regex_close(r);
    }
END_TEST

/* --- expressions ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    const char *value;
} attributes[] = {
    {"ecs.instance-type", "t2.micro"},
    {"ecs.availability-zone", "us-east-1a"},
    {"stack", "prod"},
    {"empty", ""},
    {"cores", "16"},
    {"load", "-0.50"},
    {"label", "two words"},
    {"path/to\\x", "a'b\"c"},
};

static bool get_attribute(const void *ctx, struct str name, struct str *ret_value)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (str_eqc(name, attributes[i].name)) {
            *ret_value = str_of(attributes[i].value);
            return true;
        }
    }
    return false;
}

static bool get_group(const void *ctx, uint32_t i, struct str *ret_group)
{
    static const char *const groups[] = {"service:production", "family:web"};
    (void)ctx;
    if (i >= 2) {
        return false;
    }
    *ret_group = str_of(groups[i]);
    return true;
}

static const struct query_node node = {
    .attribute = get_attribute,
    .group = get_group,
    .agent_version = {"1.14.5", 6},
    .ec2_instance_id = {"i-abcd1234", 10},
    .registered_at_ms = 1529360908123, /* 2018-06-18T22:28:28.123Z */
    .n_running_tasks = 5,
    .agent_connected = true,
};

static const struct {
    const char *text;
    bool want;
} expressions[] = {
    {"attribute:ecs.instance-type == t2.micro", true},
    {"attribute:ecs.instance-type==t2.micro", true},
    {"attribute:ecs.instance-type == t2.small", false},
    {"attribute:ecs.instance-type equals t2.micro", true},
    {"attribute:ecs.instance-type EQUALS t2.micro", true},
    {"attribute:ecs.instance-type != t2.micro", false},
    {"attribute:ecs.instance-type not_equals t2.small", true},
    {"attribute:absent != x", true},
    {"attribute:absent == x", false},
    {"attribute:absent < x", false},
    {"attribute:absent =~ .*", false},
    {"attribute:absent !~ .*", true},
    {"attribute:absent in [x]", false},
    {"attribute:absent !in [x]", true},
    {"attribute:stack exists", true},
    {"attribute:empty exists", true},
    {"attribute:empty == ''", true},
    {"attribute:absent exists", false},
    {"attribute:absent !exists", true},
    {"attribute:absent not_exists", true},
    {"attribute:stack !exists", false},
    {"attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", true},
    {"attribute:ecs.availability-zone in [us-east-1c,us-east-1b]", false},
    {"attribute:ecs.availability-zone not_in [us-east-1c]", true},
    {"attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d",
     false},
    {"attribute:ecs.instance-type =~ t2.* and attribute:ecs.availability-zone != us-east-1d", true},
    {"attribute:ecs.instance-type matches (t2|m5).*", true},
    {"attribute:ecs.instance-type =~ ([a-z]\\d\\.)mi[^)(]ro", true},
    {"(attribute:ecs.instance-type =~ t2.*)", true},
    {"attribute:ecs.instance-type !~ t2", true},
    {"attribute:ecs.instance-type not_matches t2.+", false},
    {"attribute:label == 'two words'", true},
    {"attribute:label =~ \"two .*\"", true},
    {"attribute:path/to\\x == 'a\\'b\\\"c'", true},
    {"attribute:cores > 9", true},
    {"attribute:cores >= 16", true},
    {"attribute:cores less_than 100", true},
    {"attribute:cores > 16.0", false},
    {"attribute:cores >= 16.0", true},
    {"attribute:cores < -1", false},
    {"attribute:load > -1", true},
    {"attribute:load < -0.4999", true},
    {"attribute:load >= -0.5", true},
    {"attribute:load <= -0.5", true},
    {"attribute:stack > alpha", true},
    {"attribute:stack greater_than_equal prod", true},
    {"task:group == service:production", true},
    {"task:group == family:web", true},
    {"task:group == database", false},
    {"not(task:group == database)", true},
    {"task:group != service:production", false},
    {"task:group != database", true},
    {"task:group in [database, 'family:web']", true},
    {"task:group =~ family:.*", true},
    {"task:group exists", true},
    {"runningTasksCount == 5", true},
    {"runningTasksCount != 5", false},
    {"runningTasksCount < 10", true},
    {"runningTasksCount >= 6", false},
    {"runningTasksCount in [1,5]", true},
    {"agentVersion < 1.14.5", false},
    {"agentVersion < 1.100", true},
    {"agentVersion > 1.9", true},
    {"agentVersion == 1.14.5.0", true},
    {"agentVersion <= 1.14.5", true},
    {"agentConnected == true", true},
    {"agentConnected != true", false},
    {"agentConnected in [false]", false},
    {"agentConnected =~ t.*", true},
    {"ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", true},
    {"ec2InstanceId == i-wxyx7890", false},
    {"registeredAt < 2018-02-13", false},
    {"registeredAt == 2018-06-18", true},
    {"registeredAt > 2018-06-18", false},
    {"registeredAt >= 2018-06-18", true},
    {"registeredAt <= 2018-06-18", true},
    {"registeredAt > 2018-06-17", true},
    {"registeredAt == 2018-06-18T22:28:28", true},
    {"registeredAt == 2018-06-18T22:28:28Z", true},
    {"registeredAt == 2018-06-18T22:28:28+00:00", true},
    {"registeredAt == 2018-06-19T00:28:28+02:00", true},
    {"registeredAt == 2018-06-18T21:58:28-00:30", true},
    {"registeredAt < 2018-06-18T22:28:29Z", true},
    {"registeredAt < 2018-06-18T22:28:28Z", false},
    {"registeredAt > 2018-06-18T22:28:27Z", true},
    {"registeredAt > 2016-02-29", true},
    /* Precedence: not before and before or; parentheses before all. */
    {"runningTasksCount == 5 or runningTasksCount == 1 and runningTasksCount == 2", true},
    {"(runningTasksCount == 5 or runningTasksCount == 1) and runningTasksCount == 2", false},
    {"runningTasksCount == 1 and runningTasksCount == 2 or runningTasksCount == 5", true},
    {"not runningTasksCount == 1 and runningTasksCount == 5", true},
    {"not (runningTasksCount == 1 and runningTasksCount == 5)", true},
    {"not runningTasksCount == 5 or runningTasksCount == 5", true},
    {"not (runningTasksCount == 5 or runningTasksCount == 5)", false},
    {"!(task:group==database)&&runningTasksCount==5", true},
    {"!!(task:group == database)", false},
    {"not not not runningTasksCount == 5", false},
    {"runningTasksCount==1||runningTasksCount==5", true},
    {"runningTasksCount==1 || attribute:stack=~p.*&&runningTasksCount==5", true},
    {"runningTasksCount == 1 OR NOT runningTasksCount == 1 AND attribute:stack EXISTS", true},
    {"((((runningTasksCount == 5))))", true},
    {" \t\n runningTasksCount\n==\n5 \n", true},
};

START_TEST(an_expression_selects_what_it_says)
    {
        for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
            struct query *q;
            struct err err = {0};
            int rv = query_parse(test_mem(), str_of(expressions[i].text), &q, &err);
            ck_assert_msg(rv == 0, "%s: %s", expressions[i].text, err.text);
            ck_assert_msg(query_match(q, &node) == expressions[i].want, "%s", expressions[i].text);
            query_close(q);
        }
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* Print, parse, print: the same text, and the same answer. */
static void check_round_trip(struct str text)
{
    struct query *q;
    struct query *again;
    struct buf first, second;
    buf_init(&first, test_mem(), 100000);
    buf_init(&second, test_mem(), 100000);
    ck_assert_int_eq(query_parse(test_mem(), text, &q, NULL), 0);
    query_print(q, &first);
    struct err err = {0};
    int rv = query_parse(test_mem(), str_of(buf_cstr(&first)), &again, &err);
    ck_assert_msg(rv == 0, "%s: %s", buf_cstr(&first), err.text);
    query_print(again, &second);
    ck_assert_str_eq(buf_cstr(&first), buf_cstr(&second));
    ck_assert_int_eq(query_match(q, &node), query_match(again, &node));
    ck_assert_uint_eq(query_facts(q), query_facts(again));
    query_close(q);
    query_close(again);
    buf_close(&first);
    buf_close(&second);
}

START_TEST(printing_and_parsing_lead_back)
    {
        for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
            check_round_trip(str_of(expressions[i].text));
        }
        struct query *q;
        struct buf text;
        buf_init(&text, test_mem(), 1000);
        ck_assert_int_eq(query_parse(test_mem(),
                                     STR("!( runningTasksCount<5||task:group equals x ) && "
                                         "attribute:a not_in ['b c',d]&&(attribute:e exists)"),
                                     &q, NULL),
                         0);
        query_print(q, &text);
        ck_assert_str_eq(buf_cstr(&text), "not(runningTasksCount < 5 or task:group == x) and "
                                          "attribute:a !in ['b c', d] and attribute:e exists");
        query_close(q);
        buf_close(&text);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* A random expression over tests whose truth is known, with its value. */
static bool random_expression(struct prng *p, struct buf *to, int depth)
{
    static const struct {
        const char *text;
        bool value;
    } leaves[] = {{"runningTasksCount == 5", true},
                  {"runningTasksCount == 1", false},
                  {"attribute:stack =~ (p|q)rod", true},
                  {"task:group in [x, 'y z']", false}};
    bool value;
    uint64_t kind = depth == 0 ? 0 : prng_below(p, 4);
    if (kind == 0) {
        uint64_t leaf = prng_below(p, 4);
        buf_printf(to, "(%s)", leaves[leaf].text);
        return leaves[leaf].value;
    }
    if (kind == 1) {
        buf_puts(to, prng_below(p, 2) == 0 ? "not(" : "!(");
        value = !random_expression(p, to, depth - 1);
    } else {
        buf_puts(to, "(");
        value = random_expression(p, to, depth - 1);
        buf_puts(to, kind == 2 ? " and " : "||");
        bool right = random_expression(p, to, depth - 1);
        value = kind == 2 ? value && right : value || right;
    }
    buf_puts(to, ")");
    return value;
}

START_TEST(connectives_follow_their_truth_tables)
    {
        struct prng p;
        int n_true = 0;
        prng_init(&p, 7);
        for (int i = 0; i < 3000; i++) {
            struct buf text;
            struct query *q;
            buf_init(&text, test_mem(), QUERY_TEXT_MAX);
            bool want = random_expression(&p, &text, 5);
            if (!text.overflow) {
                struct str s = str_of(buf_cstr(&text));
                ck_assert_int_eq(query_parse(test_mem(), s, &q, NULL), 0);
                ck_assert_msg(query_match(q, &node) == want, "%s", buf_cstr(&text));
                query_close(q);
                check_round_trip(s);
                n_true += want;
            }
            buf_close(&text);
        }
        ck_assert_int_gt(n_true, 500);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(an_error_says_where_and_what_was_expected)
    {
        static const struct {
            const char *text;
            const char *says;
        } cases[] = {
            {"", "column 1: expected agentConnected"},
            {"   ", "column 4: expected agentConnected"},
            {"color == red", "column 1: expected agentConnected, agentVersion, attribute:NAME"},
            {"attribute: == x", "column 11: expected the name"},
            {"attribute:x", "column 12: expected an operator"},
            {"attribute:x red", "column 13: expected an operator"},
            {"attribute:x = red", "column 13: expected an operator"},
            {"attribute:x ==", "column 15: expected a value, found the end"},
            {"attribute:x == )", "column 16: expected a value, found \")\""},
            {"attribute:x =~ )", "column 16: expected a pattern"},
            {"attribute:x =~ a)b", "column 17: expected \"and\", \"or\" or the end"},
            {"attribute:x =~ a**", "nothing to repeat"},
            {"attribute:x == 'red", "column 16: expected a string that ends"},
            {"attribute:x in red", "column 16: expected a list"},
            {"attribute:x in []", "column 17: expected a value"},
            {"attribute:x in [a b]", "column 19: expected \",\" or \"]\""},
            {"attribute:x in [a", "column 18: expected \",\" or \"]\""},
            {"attribute:x == a b", "column 18: expected \"and\", \"or\" or the end"},
            {"attribute:x == a and", "column 21: expected agentConnected"},
            {"(attribute:x == a", "column 18: expected \"and\", \"or\" or \")\""},
            {"attribute:x == a)", "column 17: expected \"and\", \"or\" or the end"},
            {"()", "column 2: expected agentConnected"},
            {"not", "column 4: expected agentConnected"},
            {"runningTasksCount == five", "column 22: expected a number"},
            {"runningTasksCount =~ 5", "column 19: runningTasksCount cannot be tested"},
            {"task:group > x", "column 12: task:group cannot be tested with \">\""},
            {"agentConnected == yes", "column 19: expected true or false"},
            {"registeredAt > yesterday", "column 16: expected a date"},
            {"registeredAt > 2018-02-29", "expected a date"},
            {"registeredAt > 2018-13-01", "expected a date"},
            {"registeredAt > 2018-06-18T24:00:00", "expected a date"},
            {"registeredAt > 2018-06-18T22:28", "expected a date"},
            {"registeredAt > 1970-01-01T00:00:00+01:00", "expected a date"},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct query *q;
            struct err err = {0};
            ck_assert_int_eq(query_parse(test_mem(), str_of(cases[i].text), &q, &err), ERR_PARSE);
            ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%s: %s", cases[i].text,
                          err.text);
        }
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* Repeat `part` n times, then append `end`. */
static int parse_repeated(const char *part, int n, const char *end, struct err *err)
{
    struct buf text;
    struct query *q = NULL;
    buf_init(&text, test_mem(), 100000);
    for (int i = 0; i < n; i++) {
        buf_puts(&text, part);
    }
    buf_puts(&text, end);
    int rv = query_parse(test_mem(), str_of(buf_cstr(&text)), &q, err);
    if (rv == 0) {
        query_close(q);
    }
    buf_close(&text);
    return rv;
}

START_TEST(every_size_has_a_limit)
    {
        struct err err;
        const char *leaf = "task:group exists";
        ck_assert_int_eq(parse_repeated("!", QUERY_DEPTH_MAX, leaf, &err), 0);
        ck_assert_int_eq(parse_repeated("!", QUERY_DEPTH_MAX + 1, leaf, &err), ERR_TOOBIG);
        ck_assert_int_eq(parse_repeated("(", QUERY_DEPTH_MAX + 1, leaf, &err), ERR_TOOBIG);
        ck_assert_int_eq(parse_repeated(" ", QUERY_TEXT_MAX, leaf, &err), ERR_TOOBIG);
        ck_assert_int_eq(parse_repeated("task:group==a||", 127, leaf, &err), 0);
        ck_assert_int_eq(parse_repeated("task:group==a||", 130, leaf, &err), ERR_TOOBIG);
        char list[QUERY_TEXT_MAX];
        struct query *q;
        struct str start = STR("task:group in [a");
        memcpy(list, start.p, start.n);
        for (size_t i = 0; i < QUERY_ITEMS_MAX; i++) {
            memcpy(list + start.n + 2 * i, ",a", 2);
        }
        list[start.n + 2 * (QUERY_ITEMS_MAX - 1)] = ']';
        ck_assert_int_eq(
            query_parse(test_mem(), str_make(list, start.n + 2 * QUERY_ITEMS_MAX - 1), &q, &err),
            0);
        query_close(q);
        list[start.n + 2 * (QUERY_ITEMS_MAX - 1)] = ',';
        list[start.n + 2 * QUERY_ITEMS_MAX] = ']';
        ck_assert_int_eq(
            query_parse(test_mem(), str_make(list, start.n + 2 * QUERY_ITEMS_MAX + 1), &q, &err),
            ERR_TOOBIG);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_query_knows_what_it_depends_on)
    {
        static const struct {
            const char *text;
            unsigned facts;
        } cases[] = {
            {"attribute:a == b or agentVersion < 2", QUERY_ATTRIBUTES},
            {"ec2InstanceId == x", QUERY_NODE},
            {"agentConnected == true and registeredAt > 2020-01-01", QUERY_NODE},
            {"runningTasksCount == 1", QUERY_TASKS},
            {"task:group == a and attribute:b exists", QUERY_TASKS | QUERY_ATTRIBUTES},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct query *q;
            ck_assert_int_eq(query_parse(test_mem(), str_of(cases[i].text), &q, NULL), 0);
            ck_assert_uint_eq(query_facts(q), cases[i].facts);
            query_close(q);
        }
    }
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement query");
    TEST_CASE(suite, "regex", 20, a_pattern_matches_whole_texts_only,
              a_pattern_that_is_none_says_where, a_pattern_that_would_be_too_big_is_refused,
              no_pattern_takes_long);
    TEST_CASE(suite, "query", 60, an_expression_selects_what_it_says,
              printing_and_parsing_lead_back, connectives_follow_their_truth_tables,
              an_error_says_where_and_what_was_expected, every_size_has_a_limit,
              a_query_knows_what_it_depends_on);
    return test_run(suite);
}
