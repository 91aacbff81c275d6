/* Reading and printing expressions. Operator precedence with an explicit stack (Dijkstra's
 * shunting yard), because the text comes from outside and recursion would let it choose our stack
 * depth. The parser works in one fixed struct; the result is then copied to a single block of the
 * right size, so a compiled query is one allocation plus its patterns. */
#include "controller/core/placement/query_impl.h"

#include <assert.h>
#include <string.h>

/* Waiting operators: at most a NOT or "(" per level of depth and one AND or OR between them. */
#define STACK_MAX (3 * QUERY_DEPTH_MAX + 3)

enum waiting { WAIT_OPEN, WAIT_OR, WAIT_AND, WAIT_NOT }; /* In order of binding. */

struct parser {
    const struct mem *mem;
    struct err *err;
    struct str in;
    size_t at;
    uint32_t n_depth;
    uint32_t n_stack;
    uint32_t n_values;
    uint16_t n_terms;
    uint16_t n_tests;
    uint16_t n_items;
    uint16_t n_text;
    uint8_t stack[STACK_MAX];
    uint16_t values[STACK_MAX]; /* Finished operands, as numbers of terms. */
    struct query_term terms[QUERY_TERMS_MAX];
    struct query_test tests[QUERY_TERMS_MAX];
    struct query_item items[QUERY_ITEMS_MAX];
    char text[QUERY_TEXT_MAX];
};

static const char *const subject_names[SUBJECT_N] = {
    [SUBJECT_AGENT_CONNECTED] = "agentConnected", [SUBJECT_AGENT_VERSION] = "agentVersion",
    [SUBJECT_ATTRIBUTE] = "attribute:",           [SUBJECT_EC2_INSTANCE_ID] = "ec2InstanceId",
    [SUBJECT_REGISTERED_AT] = "registeredAt",     [SUBJECT_RUNNING_TASKS] = "runningTasksCount",
    [SUBJECT_TASK_GROUP] = "task:group",
};

#define OP_BIT(op) (1u << (op))
#define OPS_ORDER  (OP_BIT(QOP_GT) | OP_BIT(QOP_GE) | OP_BIT(QOP_LT) | OP_BIT(QOP_LE))
#define OPS_TEXT   (OP_BIT(QOP_EQ) | OP_BIT(QOP_EXISTS) | OP_BIT(QOP_IN) | OP_BIT(QOP_MATCH))

static const struct {
    unsigned ops;
    unsigned facts;
} subjects[SUBJECT_N] = {
    [SUBJECT_AGENT_CONNECTED] = {OPS_TEXT, QUERY_NODE},
    [SUBJECT_AGENT_VERSION] = {OPS_TEXT | OPS_ORDER, QUERY_ATTRIBUTES},
    [SUBJECT_ATTRIBUTE] = {OPS_TEXT | OPS_ORDER, QUERY_ATTRIBUTES},
    [SUBJECT_EC2_INSTANCE_ID] = {OPS_TEXT | OPS_ORDER, QUERY_NODE},
    [SUBJECT_REGISTERED_AT] = {(OPS_TEXT & ~OP_BIT(QOP_MATCH)) | OPS_ORDER, QUERY_NODE},
    [SUBJECT_RUNNING_TASKS] = {(OPS_TEXT & ~OP_BIT(QOP_MATCH)) | OPS_ORDER, QUERY_TASKS},
    [SUBJECT_TASK_GROUP] = {OPS_TEXT, QUERY_TASKS},
};

/* Symbols before the symbols they begin with; the first spelling of each pair is printed. */
static const struct {
    const char *text;
    uint8_t op;
    bool negate;
} operators[] = {
    {"==", QOP_EQ, false},
    {"!=", QOP_EQ, true},
    {">=", QOP_GE, false},
    {">", QOP_GT, false},
    {"<=", QOP_LE, false},
    {"<", QOP_LT, false},
    {"=~", QOP_MATCH, false},
    {"!~", QOP_MATCH, true},
    {"exists", QOP_EXISTS, false},
    {"!exists", QOP_EXISTS, true},
    {"in", QOP_IN, false},
    {"!in", QOP_IN, true},
    {"equals", QOP_EQ, false},
    {"not_equals", QOP_EQ, true},
    {"greater_than_equal", QOP_GE, false},
    {"greater_than", QOP_GT, false},
    {"less_than_equal", QOP_LE, false},
    {"less_than", QOP_LT, false},
    {"matches", QOP_MATCH, false},
    {"not_matches", QOP_MATCH, true},
    {"not_exists", QOP_EXISTS, true},
    {"not_in", QOP_IN, true},
};
#define N_OPERATORS (sizeof operators / sizeof operators[0])

/* --- characters ------------------------------------------------------------------------------- */

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool is_word(char ch)
{
    return is_digit(ch) || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool is_quote(char ch)
{
    return ch == '\'' || ch == '"';
}

static int lower(int ch)
{
    return ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch;
}

static bool has(char ch, const char *set)
{
    struct str s = str_of(set);
    return str_find(s, ch, 0) < s.n;
}

/* The connectives end a bare word even without blanks around them. */
static bool at_connective(struct str s, size_t at)
{
    return at + 1 < s.n && s.p[at] == s.p[at + 1] && (s.p[at] == '&' || s.p[at] == '|');
}

/* How much of s, from its start, is one bare argument. */
static size_t bare_value(struct str s)
{
    size_t n = 0;
    while (n < s.n && !is_blank(s.p[n]) && !has(s.p[n], "()[],'\"") && !at_connective(s, n)) {
        n++;
    }
    return n;
}

/* The same for a pattern: it goes on through brackets that it opened itself. *ret_open says whether
 * it would also go on through whatever came next. */
static size_t bare_pattern(struct str s, bool *ret_open)
{
    size_t n = 0;
    unsigned n_open = 0;
    bool in_class = false;
    for (; n < s.n && !is_blank(s.p[n]); n++) {
        char ch = s.p[n];
        if (ch == '\\' && n + 1 < s.n && !is_blank(s.p[n + 1])) {
            n++;
        } else if (in_class) {
            in_class = ch != ']';
        } else if (ch == '[') {
            in_class = true;
        } else if (ch == '(') {
            n_open++;
        } else if (n_open > 0) {
            n_open -= ch == ')';
        } else if (ch == ')' || at_connective(s, n)) {
            break;
        }
    }
    *ret_open = in_class || n_open > 0 || (n > 0 && s.p[n - 1] == '\\');
    return n;
}

/* --- errors ----------------------------------------------------------------------------------- */

static void skip_blanks(struct parser *p)
{
    while (p->at < p->in.n && is_blank(p->in.p[p->at])) {
        p->at++;
    }
}

/* "expression, column 7: expected X, found Y" */
static int expected(struct parser *p, const char *what)
{
    struct str rest = str_slice(p->in, p->at, p->in.n);
    size_t n = 0;
    while (n < rest.n && n < 40 && !is_blank(rest.p[n])) {
        n++;
    }
    if (n == 0) {
        return err_set(p->err, ERR_PARSE, "expression, column %zu: expected %s, found the end",
                       p->at + 1, what);
    }
    return err_set(p->err, ERR_PARSE, "expression, column %zu: expected %s, found \"%.*s\"",
                   p->at + 1, what, (int)n, rest.p);
}

static int too_many(struct parser *p, const char *what, unsigned max)
{
    return err_set(p->err, ERR_TOOBIG, "expression, column %zu: more than %u %s", p->at + 1, max,
                   what);
}

/* --- arguments -------------------------------------------------------------------------------- */

/* The text a string takes cannot outgrow the expression. */
static void keep_char(struct parser *p, char ch)
{
    assert(p->n_text < QUERY_TEXT_MAX);
    p->text[p->n_text++] = ch;
}

static struct str keep_text(struct parser *p, struct str s)
{
    struct str kept = {p->text + p->n_text, s.n};
    for (size_t i = 0; i < s.n; i++) {
        keep_char(p, s.p[i]);
    }
    return kept;
}

static int read_quoted(struct parser *p, struct str *ret)
{
    size_t start = p->at;
    char quote = p->in.p[p->at++];
    struct str kept = {p->text + p->n_text, 0};
    for (; p->at < p->in.n; p->at++) {
        char ch = p->in.p[p->at];
        if (ch == quote) {
            p->at++;
            *ret = kept;
            return 0;
        }
        if (ch == '\\' && p->at + 1 < p->in.n &&
            (p->in.p[p->at + 1] == '\\' || is_quote(p->in.p[p->at + 1]))) {
            ch = p->in.p[++p->at];
        }
        keep_char(p, ch);
        kept.n++;
    }
    p->at = start;
    return expected(p, "a string that ends with the quote it starts with");
}

static int read_argument(struct parser *p, bool pattern, struct str *ret)
{
    skip_blanks(p);
    if (p->at < p->in.n && is_quote(p->in.p[p->at])) {
        return read_quoted(p, ret);
    }
    struct str rest = str_slice(p->in, p->at, p->in.n);
    bool open;
    size_t n = pattern ? bare_pattern(rest, &open) : bare_value(rest);
    if (n == 0) {
        return expected(p, pattern ? "a pattern" : "a value");
    }
    *ret = keep_text(p, str_slice(rest, 0, n));
    p->at += n;
    return 0;
}

/* Exactly n digits at *at. */
static bool read_digits(struct str s, size_t *at, size_t n, uint32_t *ret)
{
    uint64_t number;
    if (s.n - *at < n || !str_u64(str_slice(s, *at, *at + n), &number)) {
        return false;
    }
    *ret = (uint32_t)number;
    *at += n;
    return true;
}

static bool read_char(struct str s, size_t *at, char ch)
{
    if (*at < s.n && s.p[*at] == ch) {
        *at += 1;
        return true;
    }
    return false;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, 1970 or later. */
static uint64_t days_since_epoch(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    uint64_t past = year - 1;
    uint64_t days = past * 365 + past / 4 - past / 100 + past / 400;
    const uint64_t epoch = 719162; /* The same for 1970-01-01. */
    return days + before[month - 1] + (leap && month > 2) + day - 1 - epoch;
}

static bool read_date(struct str s, size_t *at, uint64_t *ret_ms)
{
    static const uint8_t length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t year, month, day;
    if (!read_digits(s, at, 4, &year) || !read_char(s, at, '-') || !read_digits(s, at, 2, &month) ||
        !read_char(s, at, '-') || !read_digits(s, at, 2, &day) || year < 1970 || month < 1 ||
        month > 12 || day < 1) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > length[month - 1] + (month == 2 && leap ? 1u : 0u)) {
        return false;
    }
    *ret_ms = days_since_epoch(year, month, day) * QUERY_DAY_MS;
    return true;
}

/* "Z", "+hh:mm", "-hh:mm" or nothing. */
static bool read_zone(struct str s, size_t *at, int64_t *ret_ms)
{
    uint32_t hour = 0, minute = 0;
    *ret_ms = 0;
    if (*at == s.n || read_char(s, at, 'Z')) {
        return true;
    }
    bool west = read_char(s, at, '-');
    if ((!west && !read_char(s, at, '+')) || !read_digits(s, at, 2, &hour) ||
        !read_char(s, at, ':') || !read_digits(s, at, 2, &minute) || hour > 18 || minute > 59) {
        return false;
    }
    int64_t ms = ((int64_t)hour * 60 + minute) * 60000;
    *ret_ms = west ? -ms : ms;
    return true;
}

static bool read_time(struct str s, struct query_item *item)
{
    size_t at = 0;
    uint64_t ms;
    int64_t zone_ms;
    uint32_t hour, minute, second;
    if (!read_date(s, &at, &ms)) {
        return false;
    }
    item->number = ms;
    item->span_ms = QUERY_DAY_MS;
    if (at == s.n) {
        return true;
    }
    if (!read_char(s, &at, 'T') || !read_digits(s, &at, 2, &hour) || !read_char(s, &at, ':') ||
        !read_digits(s, &at, 2, &minute) || !read_char(s, &at, ':') ||
        !read_digits(s, &at, 2, &second) || hour > 23 || minute > 59 || second > 59 ||
        !read_zone(s, &at, &zone_ms) || at != s.n) {
        return false;
    }
    ms += ((uint64_t)hour * 3600 + (uint64_t)minute * 60 + second) * 1000;
    if (zone_ms > 0 && ms < (uint64_t)zone_ms) {
        return false;
    }
    item->number = (uint64_t)((int64_t)ms - zone_ms);
    item->span_ms = QUERY_SECOND_MS;
    return true;
}

static int read_item(struct parser *p, const struct query_test *test)
{
    if (p->n_items == QUERY_ITEMS_MAX) {
        return too_many(p, "arguments", QUERY_ITEMS_MAX);
    }
    skip_blanks(p);
    size_t start = p->at;
    struct query_item *item = &p->items[p->n_items];
    int rv = read_argument(p, test->op == QOP_MATCH, &item->text);
    if (rv != 0) {
        return rv;
    }
    p->n_items++;
    const char *want = NULL;
    if (test->subject == SUBJECT_RUNNING_TASKS && !str_u64(item->text, &item->number)) {
        want = "a number";
    } else if (test->subject == SUBJECT_REGISTERED_AT && !read_time(item->text, item)) {
        want = "a date like 2018-06-18 or 2018-06-18T22:28:28Z";
    } else if (test->subject == SUBJECT_AGENT_CONNECTED && test->op != QOP_MATCH &&
               !str_eqc(item->text, "true") && !str_eqc(item->text, "false")) {
        want = "true or false";
    }
    if (want != NULL) {
        p->at = start;
        return expected(p, want);
    }
    return 0;
}

static int read_list(struct parser *p, const struct query_test *test)
{
    skip_blanks(p);
    if (p->at == p->in.n || p->in.p[p->at] != '[') {
        return expected(p, "a list like [a, b]");
    }
    do {
        p->at++;
        int rv = read_item(p, test);
        if (rv != 0) {
            return rv;
        }
        skip_blanks(p);
    } while (p->at < p->in.n && p->in.p[p->at] == ',');
    if (p->at == p->in.n || p->in.p[p->at] != ']') {
        return expected(p, "\",\" or \"]\"");
    }
    p->at++;
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static int read_subject(struct parser *p, struct query_test *test)
{
    struct str rest = str_slice(p->in, p->at, p->in.n);
    size_t n = 0;
    while (n < rest.n && (is_word(rest.p[n]) || has(rest.p[n], ":./\\-"))) {
        n++;
    }
    struct str word = str_slice(rest, 0, n);
    if (str_starts(word, subject_names[SUBJECT_ATTRIBUTE])) {
        size_t prefix = strlen(subject_names[SUBJECT_ATTRIBUTE]);
        p->at += prefix;
        if (n == prefix) {
            return expected(p, "the name of an attribute");
        }
        test->subject = SUBJECT_ATTRIBUTE;
        test->name = keep_text(p, str_slice(word, prefix, n));
        p->at += n - prefix;
        return 0;
    }
    for (int i = 0; i < SUBJECT_N; i++) {
        if (str_eqc(word, subject_names[i])) {
            test->subject = (uint8_t)i;
            p->at += n;
            return 0;
        }
    }
    return expected(p, "agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, "
                       "runningTasksCount or task:group");
}

/* Does the input continue with text, as a whole word if it ends like one? */
static bool starts_with(const struct parser *p, const char *text)
{
    size_t n = strlen(text);
    if (p->in.n - p->at < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (lower(p->in.p[p->at + i]) != text[i]) {
            return false;
        }
    }
    return !is_word(text[n - 1]) || p->in.n - p->at == n || !is_word(p->in.p[p->at + n]);
}

static int read_operator(struct parser *p, struct query_test *test)
{
    skip_blanks(p);
    for (size_t i = 0; i < N_OPERATORS; i++) {
        if (!starts_with(p, operators[i].text)) {
            continue;
        }
        if ((subjects[test->subject].ops & OP_BIT(operators[i].op)) == 0) {
            return err_set(p->err, ERR_PARSE,
                           "expression, column %zu: %s cannot be tested with \"%s\"", p->at + 1,
                           subject_names[test->subject], operators[i].text);
        }
        p->at += strlen(operators[i].text);
        test->op = operators[i].op;
        test->negate = operators[i].negate;
        return 0;
    }
    return expected(p, "an operator (== != > >= < <= =~ !~ in !in exists !exists)");
}

static int add_term(struct parser *p, enum query_term_kind kind, uint16_t a, uint16_t b)
{
    if (p->n_terms == QUERY_TERMS_MAX) {
        return too_many(p, "terms", QUERY_TERMS_MAX);
    }
    assert(p->n_values < STACK_MAX);
    p->terms[p->n_terms] = (struct query_term){(uint8_t)kind, a, b};
    p->values[p->n_values++] = p->n_terms++;
    return 0;
}

static int read_test(struct parser *p)
{
    if (p->n_tests == QUERY_TERMS_MAX) {
        return too_many(p, "terms", QUERY_TERMS_MAX);
    }
    struct query_test *test = &p->tests[p->n_tests];
    int rv = read_subject(p, test);
    if (rv == 0) {
        rv = read_operator(p, test);
    }
    if (rv != 0) {
        return rv;
    }
    test->first_item = p->n_items;
    if (test->op == QOP_IN) {
        rv = read_list(p, test);
    } else if (test->op != QOP_EXISTS) {
        rv = read_item(p, test);
    }
    if (rv != 0) {
        return rv;
    }
    test->n_items = (uint16_t)(p->n_items - test->first_item);
    if (test->op == QOP_MATCH) {
        rv = regex_parse(p->mem, p->items[test->first_item].text, &test->regex, p->err);
        if (rv != 0) {
            return err_wrap(p->err, rv, "expression, before column %zu", p->at + 1);
        }
    }
    p->n_tests++;
    return add_term(p, TERM_TEST, (uint16_t)(p->n_tests - 1), 0);
}

/* --- connectives ------------------------------------------------------------------------------ */

static int push(struct parser *p, enum waiting what)
{
    if (what == WAIT_OPEN || what == WAIT_NOT) {
        if (p->n_depth == QUERY_DEPTH_MAX) {
            return too_many(p, "nested parentheses and negations", QUERY_DEPTH_MAX);
        }
        p->n_depth++;
    }
    assert(p->n_stack < STACK_MAX);
    p->stack[p->n_stack++] = (uint8_t)what;
    return 0;
}

/* Carry out the waiting operators that bind at least as strongly as `least`. */
static int reduce(struct parser *p, enum waiting least)
{
    int rv = 0;
    while (rv == 0 && p->n_stack > 0 && p->stack[p->n_stack - 1] >= least) {
        uint8_t what = p->stack[--p->n_stack];
        if (what == WAIT_NOT) {
            p->n_depth--;
            uint16_t a = p->values[--p->n_values];
            rv = add_term(p, TERM_NOT, a, 0);
        } else {
            uint16_t b = p->values[--p->n_values];
            uint16_t a = p->values[--p->n_values];
            rv = add_term(p, what == WAIT_AND ? TERM_AND : TERM_OR, a, b);
        }
    }
    return rv;
}

/* Everything up to and including the next test. */
static int read_operand(struct parser *p)
{
    for (;;) {
        int rv;
        skip_blanks(p);
        if (starts_with(p, "(")) {
            p->at += 1;
            rv = push(p, WAIT_OPEN);
        } else if (starts_with(p, "!")) {
            p->at += 1;
            rv = push(p, WAIT_NOT);
        } else if (starts_with(p, "not")) {
            p->at += strlen("not");
            rv = push(p, WAIT_NOT);
        } else {
            return read_test(p);
        }
        if (rv != 0) {
            return rv;
        }
    }
}

static int close_parentheses(struct parser *p)
{
    for (skip_blanks(p); starts_with(p, ")"); skip_blanks(p)) {
        int rv = reduce(p, WAIT_OR);
        if (rv != 0) {
            return rv;
        }
        if (p->n_stack == 0) {
            return expected(p, "\"and\", \"or\" or the end");
        }
        p->n_stack--;
        p->n_depth--;
        p->at++;
    }
    return 0;
}

static int read_expression(struct parser *p)
{
    for (;;) {
        int rv = read_operand(p);
        if (rv == 0) {
            rv = close_parentheses(p);
        }
        if (rv != 0) {
            return rv;
        }
        enum waiting what = WAIT_AND;
        if (p->at == p->in.n) {
            rv = reduce(p, WAIT_OR);
            return rv == 0 && p->n_stack > 0 ? expected(p, "\"and\", \"or\" or \")\"") : rv;
        }
        if (starts_with(p, "||") || starts_with(p, "or")) {
            what = WAIT_OR;
            p->at += 2;
        } else if (starts_with(p, "&&")) {
            p->at += 2;
        } else if (starts_with(p, "and")) {
            p->at += strlen("and");
        } else {
            return expected(p, "\"and\", \"or\" or the end");
        }
        rv = reduce(p, what);
        if (rv == 0) {
            rv = push(p, what);
        }
        if (rv != 0) {
            return rv;
        }
    }
}

/* --- the result ------------------------------------------------------------------------------- */

static size_t query_size(const struct query *q)
{
    return sizeof *q + q->n_tests * sizeof q->tests[0] + q->n_items * sizeof q->items[0] +
           q->n_terms * sizeof q->terms[0] + q->n_text;
}

static struct str moved(struct str s, const char *from, char *to)
{
    return s.n == 0 ? str_make(NULL, 0) : str_make(to + (s.p - from), s.n);
}

/* Copy from the parser's tables to one block of the right size. The patterns change owner. */
static struct query *build(const struct parser *p)
{
    struct query head = {.mem = p->mem,
                         .n_terms = p->n_terms,
                         .n_tests = p->n_tests,
                         .n_items = p->n_items,
                         .n_text = p->n_text};
    struct query *q = mem_alloc(p->mem, query_size(&head));
    *q = head;
    q->tests = (struct query_test *)(void *)(q + 1);
    q->items = (struct query_item *)(void *)(q->tests + q->n_tests);
    q->terms = (struct query_term *)(void *)(q->items + q->n_items);
    q->text = (char *)(void *)(q->terms + q->n_terms);
    memcpy(q->terms, p->terms, q->n_terms * sizeof q->terms[0]);
    memcpy(q->text, p->text, q->n_text);
    for (uint16_t i = 0; i < q->n_items; i++) {
        q->items[i] = p->items[i];
        q->items[i].text = moved(p->items[i].text, p->text, q->text);
    }
    for (uint16_t i = 0; i < q->n_tests; i++) {
        q->tests[i] = p->tests[i];
        q->tests[i].name = moved(p->tests[i].name, p->text, q->text);
        q->facts |= subjects[q->tests[i].subject].facts;
    }
    return q;
}

int query_parse(const struct mem *mem, struct str text, struct query **ret, struct err *err)
{
    if (text.n > QUERY_TEXT_MAX) {
        return err_set(err, ERR_TOOBIG, "expression is longer than %d bytes", QUERY_TEXT_MAX);
    }
    struct parser *p = mem_alloc(mem, sizeof *p);
    p->mem = mem;
    p->err = err;
    p->in = text;
    int rv = read_expression(p);
    if (rv == 0) {
        assert(p->n_values == 1);
        *ret = build(p);
    } else {
        for (uint16_t i = 0; i < QUERY_TERMS_MAX; i++) {
            regex_close(p->tests[i].regex);
        }
    }
    mem_free(mem, p, sizeof *p);
    return rv;
}

void query_close(struct query *q)
{
    if (q == NULL) {
        return;
    }
    for (uint16_t i = 0; i < q->n_tests; i++) {
        regex_close(q->tests[i].regex);
    }
    mem_free(q->mem, q, query_size(q));
}

unsigned query_facts(const struct query *q)
{
    return q->facts;
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_argument(struct str text, bool pattern, struct buf *to)
{
    bool open = false;
    size_t bare = pattern ? bare_pattern(text, &open) : bare_value(text);
    if (text.n > 0 && bare == text.n && !open && !is_quote(text.p[0])) {
        buf_put(to, text.p, text.n);
        return;
    }
    buf_puts(to, "'");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' || is_quote(text.p[i])) {
            buf_puts(to, "\\");
        }
        buf_put(to, text.p + i, 1);
    }
    buf_puts(to, "'");
}

static void print_test(const struct query *q, const struct query_test *test, struct buf *to)
{
    const char *op = "";
    for (size_t i = N_OPERATORS; i-- > 0;) {
        if (operators[i].op == test->op && operators[i].negate == test->negate) {
            op = operators[i].text;
        }
    }
    buf_printf(to, "%s%.*s %s", subject_names[test->subject], STR_ARG(test->name), op);
    if (test->op == QOP_EXISTS) {
        return;
    }
    buf_puts(to, test->op == QOP_IN ? " [" : " ");
    for (uint16_t i = 0; i < test->n_items; i++) {
        buf_puts(to, i == 0 ? "" : ", ");
        print_argument(q->items[test->first_item + i].text, test->op == QOP_MATCH, to);
    }
    buf_puts(to, test->op == QOP_IN ? "]" : "");
}

/* A term to print, or a text to put between two terms. */
struct printing {
    const char *text; /* NULL: the term. */
    uint16_t term;
};

void query_print(const struct query *q, struct buf *to)
{
    /* Each term that is taken off is replaced by at most five entries, two of them terms. */
    struct printing stack[5 * QUERY_TERMS_MAX];
    uint32_t n = 0;
    stack[n++] = (struct printing){NULL, (uint16_t)(q->n_terms - 1)};
    while (n > 0) {
        struct printing now = stack[--n];
        if (now.text != NULL) {
            buf_puts(to, now.text);
            continue;
        }
        const struct query_term *term = &q->terms[now.term];
        switch ((enum query_term_kind)term->kind) {
        case TERM_TEST:
            print_test(q, &q->tests[term->a], to);
            break;
        case TERM_NOT:
            buf_puts(to, "not(");
            stack[n++] = (struct printing){")", 0};
            stack[n++] = (struct printing){NULL, term->a};
            break;
        case TERM_OR:
            stack[n++] = (struct printing){NULL, term->b};
            stack[n++] = (struct printing){" or ", 0};
            stack[n++] = (struct printing){NULL, term->a};
            break;
        case TERM_AND:
            for (int side = 1; side >= 0; side--) {
                uint16_t operand = side == 1 ? term->b : term->a;
                bool wrap = q->terms[operand].kind == TERM_OR;
                stack[n++] = (struct printing){wrap ? ")" : "", 0};
                stack[n++] = (struct printing){NULL, operand};
                stack[n++] = (struct printing){wrap ? "(" : "", 0};
                if (side == 1) {
                    stack[n++] = (struct printing){" and ", 0};
                }
            }
            break;
        }
    }
}
