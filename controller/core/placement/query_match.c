/* Does a node satisfy a query? Every term is evaluated, in the order of the array: queries are
 * short, and answers that depend on attributes alone are kept by the view. */
#include "controller/core/placement/query_impl.h"

#include <assert.h>
#include <string.h>

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

/* --- numbers and versions --------------------------------------------------------------------- */

/* A decimal number taken apart: sign, integer digits without leading zeros, fraction without
 * trailing ones. Compared as text, so there is nothing to overflow or to round. */
struct decimal {
    bool negative;
    struct str whole;
    struct str fraction;
};

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i])) {
            return false;
        }
    }
    return true;
}

static bool decimal_read(struct str s, struct decimal *ret)
{
    struct str fraction;
    bool negative = str_starts(s, "-");
    s = str_slice(s, negative ? 1 : 0, s.n);
    size_t dot = str_find(s, '.', 0);
    struct str whole = str_cut(s, '.', &fraction);
    if (whole.n == 0 || (dot < s.n && fraction.n == 0) || !all_digits(whole) ||
        !all_digits(fraction)) {
        return false;
    }
    while (whole.n > 0 && whole.p[0] == '0') {
        whole = str_slice(whole, 1, whole.n);
    }
    while (fraction.n > 0 && fraction.p[fraction.n - 1] == '0') {
        fraction.n--;
    }
    *ret = (struct decimal){negative && (whole.n > 0 || fraction.n > 0), whole, fraction};
    return true;
}

static int digits_cmp(struct str a, struct str b)
{
    if (a.n != b.n) {
        return a.n < b.n ? -1 : 1;
    }
    return sign(str_cmp(a, b));
}

static int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative) {
        return a->negative ? -1 : 1;
    }
    int c = digits_cmp(a->whole, b->whole);
    if (c == 0) {
        c = sign(str_cmp(a->fraction, b->fraction));
    }
    return a->negative ? -c : c;
}

static int order_cmp(struct str a, struct str b)
{
    struct decimal x, y;
    if (decimal_read(a, &x) && decimal_read(b, &y)) {
        return decimal_cmp(&x, &y);
    }
    return sign(str_cmp(a, b));
}

/* Component by component; a missing one counts as 0. */
static int version_cmp(struct str a, struct str b)
{
    int c = 0;
    while (c == 0 && (a.n > 0 || b.n > 0)) {
        struct str x = str_cut(a, '.', &a);
        struct str y = str_cut(b, '.', &b);
        c = order_cmp(x.n == 0 ? STR("0") : x, y.n == 0 ? STR("0") : y);
    }
    return c;
}

/* --- tests ------------------------------------------------------------------------------------ */

/* What holds for op when the value compares like c with the argument. */
static bool op_holds(uint8_t op, int c)
{
    switch ((enum query_op)op) {
    case QOP_EQ:
    case QOP_IN:
        return c == 0;
    case QOP_GT:
        return c > 0;
    case QOP_GE:
        return c >= 0;
    case QOP_LT:
        return c < 0;
    case QOP_LE:
        return c <= 0;
    case QOP_EXISTS:
    case QOP_MATCH:
    case QOP_N:
        break;
    }
    assert(false);
    return false;
}

/* How a value of text compares with an argument. */
static int text_cmp(const struct query_test *test, struct str value, struct str argument)
{
    if (test->subject == SUBJECT_AGENT_VERSION) {
        return version_cmp(value, argument);
    }
    if (test->op == QOP_EQ || test->op == QOP_IN) {
        return str_eq(value, argument) ? 0 : 1;
    }
    return order_cmp(value, argument);
}

static bool text_holds(const struct query *q, const struct query_test *test, struct str value)
{
    if (test->op == QOP_EXISTS) {
        return true;
    }
    if (test->op == QOP_MATCH) {
        return regex_match(test->regex, value);
    }
    for (uint16_t i = 0; i < test->n_items; i++) {
        if (op_holds(test->op, text_cmp(test, value, q->items[test->first_item + i].text))) {
            return true;
        }
    }
    return false;
}

static bool number_holds(const struct query *q, const struct query_test *test, uint64_t value)
{
    if (test->op == QOP_EXISTS) {
        return true;
    }
    for (uint16_t i = 0; i < test->n_items; i++) {
        const struct query_item *item = &q->items[test->first_item + i];
        uint64_t last = test->subject == SUBJECT_REGISTERED_AT ? item->number + item->span_ms - 1
                                                               : item->number;
        int c = value < item->number ? -1 : value > last ? 1 : 0;
        if (op_holds(test->op, c)) {
            return true;
        }
    }
    return false;
}

static bool group_holds(const struct query *q, const struct query_test *test,
                        const struct query_node *node)
{
    struct str group;
    for (uint32_t i = 0; node->group(node->ctx, i, &group); i++) {
        if (text_holds(q, test, group)) {
            return true;
        }
    }
    return false;
}

static bool test_holds(const struct query *q, const struct query_test *test,
                       const struct query_node *node)
{
    struct str value;
    switch ((enum query_subject)test->subject) {
    case SUBJECT_AGENT_CONNECTED:
        return text_holds(q, test, node->agent_connected ? STR("true") : STR("false"));
    case SUBJECT_AGENT_VERSION:
        return node->agent_version.n > 0 && text_holds(q, test, node->agent_version);
    case SUBJECT_ATTRIBUTE:
        return node->attribute(node->ctx, test->name, &value) && text_holds(q, test, value);
    case SUBJECT_EC2_INSTANCE_ID:
        return node->ec2_instance_id.n > 0 && text_holds(q, test, node->ec2_instance_id);
    case SUBJECT_REGISTERED_AT:
        return number_holds(q, test, node->registered_at_ms);
    case SUBJECT_RUNNING_TASKS:
        return number_holds(q, test, node->n_running_tasks);
    case SUBJECT_TASK_GROUP:
        return group_holds(q, test, node);
    case SUBJECT_N:
        break;
    }
    assert(false);
    return false;
}

bool query_match(const struct query *q, const struct query_node *node)
{
    bool value[QUERY_TERMS_MAX];
    assert(q->n_terms > 0);
    for (uint16_t i = 0; i < q->n_terms; i++) {
        const struct query_term *term = &q->terms[i];
        switch ((enum query_term_kind)term->kind) {
        case TERM_TEST:
            value[i] = test_holds(q, &q->tests[term->a], node) != q->tests[term->a].negate;
            break;
        case TERM_NOT:
            value[i] = !value[term->a];
            break;
        case TERM_AND:
            value[i] = value[term->a] && value[term->b];
            break;
        case TERM_OR:
            value[i] = value[term->a] || value[term->b];
            break;
        }
    }
    return value[q->n_terms - 1];
}
