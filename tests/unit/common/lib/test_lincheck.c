/* The checker is checked: against brute force over every order of small random histories, against
 * histories known to be bad and known to be good, and for its speed at the size it is made for. */
#include "common/base/prng.h"
#include "common/base/str.h"
#include "tests/lib/history.h"
#include "tests/lib/lincheck.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_MAX      8
#define N_RANDOM       100000
#define TEXT_MAX_BYTES (1u << 20)

/* --- brute force --------------------------------------------------------------------------------
 *
 * Tries every order that keeps real time and judges each whole order by what must hold in it,
 * written as conditions on the sequence and not as a state machine. */

typedef const struct hist_op *op_ptr;

/* Versions rise by at least one with each write and stay the same between two. */
static bool versions_fit(const op_ptr *order, unsigned n)
{
    uint64_t told = 0;    /* The last version anybody was told, */
    unsigned told_at = 0; /* and how many writes came before it. */
    bool any = false;
    unsigned n_writes = 0;
    for (unsigned i = 0; i < n; i++) {
        n_writes += order[i]->kind == HIST_REGISTER_WRITE;
        if (order[i]->version == 0) {
            continue;
        }
        if (order[i]->version < told + (n_writes - told_at) ||
            (any && n_writes == told_at && order[i]->version != told)) {
            return false;
        }
        told = order[i]->version;
        told_at = n_writes;
        any = true;
    }
    return true;
}

static bool register_fits(const op_ptr *order, unsigned n)
{
    int64_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        if (order[i]->kind == HIST_REGISTER_WRITE) {
            value = order[i]->value;
        } else if (order[i]->value != value) {
            return false;
        }
    }
    return versions_fit(order, n);
}

static bool counter_fits(const op_ptr *order, unsigned n)
{
    int64_t given = 0;
    for (unsigned i = 0; i < n; i++) {
        given += order[i]->kind == HIST_COUNTER_NEXT;
        if (order[i]->outcome == HIST_OK && order[i]->value != given) {
            return false;
        }
    }
    return true;
}

/* Everybody who sees an effect sees the same; nobody sees none after the first run. */
static bool token_fits(const op_ptr *order, unsigned n)
{
    int64_t effect = 0;
    bool ran = false;
    for (unsigned i = 0; i < n; i++) {
        ran |= order[i]->kind == HIST_TOKEN_RUN;
        if (order[i]->outcome != HIST_OK) {
            continue;
        }
        if (ran != (order[i]->value != 0) || (effect != 0 && order[i]->value != effect)) {
            return false;
        }
        effect = order[i]->value;
    }
    return true;
}

static bool latch_fits(const op_ptr *order, unsigned n)
{
    bool set = false;
    for (unsigned i = 0; i < n; i++) {
        if (order[i]->kind == HIST_LATCH_READ && set && order[i]->value == 0) {
            return false;
        }
        set |= order[i]->kind == HIST_LATCH_SET || order[i]->value != 0;
    }
    return true;
}

static bool order_fits(const op_ptr *order, unsigned n)
{
    static bool (*const fits[])(const op_ptr *, unsigned) = {register_fits, counter_fits,
                                                             token_fits, latch_fits};
    return n == 0 || fits[order[0]->kind / 2](order, n);
}

struct brute {
    const struct hist *h;
    op_ptr order[SMALL_MAX];
    bool used[SMALL_MAX];
};

static bool brute_from(struct brute *b, unsigned depth)
{
    uint64_t first_return = HIST_NEVER;
    bool complete = true;
    if (!order_fits(b->order, depth)) {
        return false;
    }
    for (unsigned i = 0; i < b->h->n_ops; i++) {
        const struct hist_op *op = &b->h->ops[i];
        if (!b->used[i] && op->outcome == HIST_OK) {
            complete = false;
            first_return = op->ret < first_return ? op->ret : first_return;
        }
    }
    for (unsigned i = 0; i < b->h->n_ops && !complete; i++) {
        const struct hist_op *op = &b->h->ops[i];
        if (b->used[i] || op->outcome == HIST_FAIL || op->invoke > first_return ||
            (op->outcome == HIST_UNKNOWN && op->kind % 2 == 1)) {
            continue;
        }
        b->used[i] = true;
        b->order[depth] = op;
        complete = brute_from(b, depth + 1);
        b->used[i] = false;
    }
    return complete;
}

static bool brute(const struct hist *h)
{
    struct brute b = {.h = h};
    return brute_from(&b, 0);
}

/* --- random histories ---------------------------------------------------------------------------
 */

struct draw { /* One operation and the moment at which it takes effect. */
    struct hist_op op;
    uint64_t moment;
    bool effective;
};

static int by_moment(const void *a, const void *b)
{
    uint64_t left = ((const struct draw *)a)->moment;
    uint64_t right = ((const struct draw *)b)->moment;
    return left < right ? -1 : left > right;
}

/* Answers as a correct system gives them. */
static void execute(struct draw *ops, unsigned n, struct prng *p)
{
    int64_t value = 0;
    uint64_t version = prng_below(p, 3);
    for (unsigned i = 0; i < n; i++) {
        struct hist_op *op = &ops[i].op;
        bool changes = op->kind % 2 == 0 && ops[i].effective;
        if (op->kind == HIST_REGISTER_WRITE && changes) {
            value = op->value;
            version += 1 + prng_below(p, 2);
        } else if (op->kind == HIST_COUNTER_NEXT && changes) {
            value++;
        } else if (op->kind == HIST_TOKEN_RUN && changes && value == 0) {
            value = 1 + (int64_t)prng_below(p, 3);
        } else if (op->kind == HIST_LATCH_SET && changes) {
            value = 1;
        }
        if (op->outcome == HIST_OK && op->kind != HIST_REGISTER_WRITE) {
            op->value = value;
        }
        if (op->outcome == HIST_OK && op->kind <= HIST_REGISTER_READ && prng_below(p, 2) == 0) {
            op->version = version;
        }
    }
}

static void random_history(struct hist *h, struct prng *p)
{
    struct draw ops[SMALL_MAX];
    unsigned n = 1 + (unsigned)prng_below(p, SMALL_MAX);
    unsigned model = (unsigned)prng_below(p, 4);
    uint64_t length = 1 + prng_below(p, 10);
    for (unsigned i = 0; i < n; i++) {
        struct hist_op *op = &ops[i].op;
        memset(op, 0, sizeof *op);
        op->kind = (enum hist_kind)(model * 2 + prng_below(p, 2));
        op->client = (uint32_t)prng_below(p, 3);
        op->outcome = HIST_OK;
        op->invoke = prng_below(p, 20);
        op->ret = op->invoke + prng_below(p, length);
        op->value = op->kind == HIST_REGISTER_WRITE ? (int64_t)prng_below(p, 3) : 0;
        ops[i].moment = op->invoke + prng_below(p, op->ret - op->invoke + 1);
        ops[i].effective = true;
        if (prng_below(p, 6) == 0) {
            op->outcome = prng_below(p, 4) == 0 ? HIST_FAIL : HIST_UNKNOWN;
            ops[i].effective = op->outcome == HIST_UNKNOWN && prng_below(p, 2) == 0;
            ops[i].moment = op->invoke + prng_below(p, 20);
        }
    }
    qsort(ops, n, sizeof *ops, by_moment);
    execute(ops, n, p);
    for (unsigned i = 0; i < n; i++) {
        struct hist_op *op = &ops[i].op;
        size_t at = hist_begin(h, op->client, op->kind, "k", op->value, op->invoke);
        if (op->outcome == HIST_OK) {
            hist_ok(h, at, op->value, op->version, op->ret);
        } else if (op->outcome == HIST_FAIL) {
            hist_fail(h, at, op->ret);
        }
    }
    if (prng_below(p, 2) == 0) { /* Often a lie. */
        struct hist_op *op = &h->ops[prng_below(p, n)];
        op->value = (int64_t)prng_below(p, 4);
        op->version = op->version == 0 ? 0 : prng_below(p, 6);
    }
}

START_TEST(the_checker_agrees_with_brute_force)
    {
        const char *seed_text = getenv("SEED");
        uint64_t seed = seed_text == NULL ? 1 : strtoull(seed_text, NULL, 10);
        unsigned n_bad = 0;
        struct prng p;
        struct buf text;
        buf_init(&text, test_mem(), TEXT_MAX_BYTES);
        prng_init(&p, seed);
        for (unsigned i = 0; i < N_RANDOM; i++) {
            struct hist h;
            bool good;
            hist_init(&h, test_mem());
            random_history(&h, &p);
            buf_clear(&text);
            good = brute(&h);
            n_bad += !good;
            if ((lincheck(&h, NULL, &text) == LIN_OK) != good) {
                buf_clear(&text);
                for (size_t k = 0; k < h.n_ops; k++) {
                    hist_print(&h, &h.ops[k], &text);
                    buf_puts(&text, "\n");
                }
                ck_abort_msg("seed %llu, history %u: brute force says %s:\n%s",
                             (unsigned long long)seed, i, good ? "good" : "bad", buf_cstr(&text));
            }
            hist_close(&h);
        }
        buf_close(&text);
        ck_assert_uint_gt(n_bad, N_RANDOM / 5);
        ck_assert_uint_lt(n_bad, N_RANDOM / 5 * 4);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* --- known histories ----------------------------------------------------------------------------
 */

static void load_text(struct hist *h, const char *text)
{
    char path[] = "/tmp/ecs-lincheck-XXXXXX";
    struct err err = {0};
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    ck_assert(f != NULL);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    hist_init(h, test_mem());
    ck_assert_msg(hist_load(h, path, &err) == 0, "%s", err.text);
    ck_assert_int_eq(unlink(path), 0);
}

struct known {
    const char *what;
    const char *text;
    const char *says; /* Part of the verdict. */
};

static const struct known bad[] = {
    {"a stale read",
     "1 register.write s 1 0 0 1 ok\n1 register.write s 2 0 2 3 ok\n2 register.read s 1 0 4 5 ok\n",
     "these 3 of 3"},
    {"a lost write", "1 register.write s 1 0 0 1 ok\n2 register.read s 0 0 2 3 ok\n",
     "these 2 of 2"},
    {"a value nobody wrote", "2 register.read s 9 0 2 3 ok\n", "these 1 of 1"},
    {"a value from the future", "2 register.read s 9 0 2 3 ok\n1 register.write s 9 0 4 5 ok\n",
     "these 1 of 2"},
    {"a refused write took effect",
     "1 register.write s 4 0 0 1 fail\n2 register.read s 4 0 2 3 ok\n", "these 1 of 1"},
    {"two readers disagree about the order",
     "1 register.write s 1 0 0 10 ok\n2 register.write s 2 0 0 10 ok\n"
     "3 register.read s 1 0 11 12 ok\n3 register.read s 2 0 13 14 ok\n"
     "4 register.read s 1 0 15 16 ok\n",
     "these 3 of 5"},
    {"an unknown write is seen, then unseen",
     "1 register.write s 5 0 0 - unknown\n2 register.read s 5 0 2 3 ok\n"
     "3 register.read s 0 0 4 5 ok\n",
     "these 2 of 3"},
    {"an unknown write takes effect twice",
     "1 register.write s 5 0 0 - unknown\n2 register.read s 5 0 2 3 ok\n"
     "3 register.write s 6 0 4 5 ok\n3 register.read s 5 0 6 7 ok\n",
     "these 3 of 4"},
    {"a read goes back in time",
     "1 register.write s 1 0 0 20 ok\n2 register.read s 1 0 2 3 ok\n"
     "3 register.read s 0 0 4 5 ok\n",
     "these 2 of 3"},
    {"versions fall for one client",
     "1 register.write s 1 7 0 1 ok\n1 register.write s 2 6 2 3 ok\n", "older version"},
    {"versions fall between clients",
     "1 register.write s 1 7 0 1 ok\n2 register.write s 2 6 2 3 ok\n", "these 2 of 2"},
    {"two writes have one version",
     "1 register.write s 1 7 0 9 ok\n2 register.write s 2 7 0 9 ok\n", "these 2 of 2"},
    {"one version has two values",
     "1 register.write s 1 7 0 1 ok\n1 register.write s 2 0 2 3 ok\n"
     "2 register.read s 2 7 4 5 ok\n",
     "these 2 of 3"},
    {"no room between versions for a write",
     "1 register.write s 1 7 0 1 ok\n2 register.write s 2 0 2 3 ok\n"
     "3 register.write s 3 8 4 5 ok\n",
     "these 3 of 3"},
    {"a number is given twice", "1 counter.next f 1 0 0 1 ok\n2 counter.next f 1 0 0 1 ok\n",
     "given twice"},
    {"numbers against real time", "1 counter.next f 2 0 0 1 ok\n2 counter.next f 1 0 2 3 ok\n",
     "smaller than one given before"},
    {"numbers against real time, far apart",
     "1 counter.next f 9 0 0 1 ok\n2 counter.next f 1 0 0 9 ok\n2 counter.next f 3 0 5 6 ok\n",
     "smaller than one given before"},
    {"a number is left out", "1 counter.next f 1 0 0 1 ok\n2 counter.next f 3 0 2 3 ok\n",
     "no order explains"},
    {"the last number is stale",
     "1 counter.next f 1 0 0 1 ok\n1 counter.next f 2 0 2 3 ok\n2 counter.read f 1 0 4 5 ok\n",
     "these 2 of 3"},
    {"more numbers than requests",
     "1 counter.next f 0 0 0 - unknown\n2 counter.next f 3 0 2 3 ok\n", "these 1 of 2"},
    {"one token, two tasks", "1 token.run t 11 0 0 1 ok\n1 token.run t 12 0 2 3 ok\n",
     "two effects"},
    {"one token, two tasks at once", "1 token.run t 11 0 0 9 ok\n2 token.run t 12 0 0 9 ok\n",
     "two effects"},
    {"a second task is found", "1 token.run t 11 0 0 1 ok\n2 token.read t 12 0 2 3 ok\n",
     "two effects"},
    {"an acknowledged task is gone", "1 token.run t 11 0 0 1 ok\n2 token.read t 0 0 2 3 ok\n",
     "these 2 of 2"},
    {"an unknown run is found, then gone",
     "1 token.run t 0 0 0 - unknown\n2 token.read t 7 0 2 3 ok\n2 token.read t 0 0 4 5 ok\n",
     "these 2 of 3"},
    {"a task without a run", "2 token.read t 7 0 2 3 ok\n", "these 1 of 1"},
    {"a stopped task runs again",
     "1 latch.set x 1 0 0 1 ok\n2 latch.read x 1 0 2 3 ok\n2 latch.read x 0 0 4 5 ok\n",
     "seen unset"},
    {"seen stopped, then running", "2 latch.read x 1 0 2 3 ok\n3 latch.read x 0 0 4 5 ok\n",
     "seen unset"},
    {"one bad key among good ones",
     "1 register.write a 1 0 0 1 ok\n1 register.read a 1 0 2 3 ok\n"
     "1 counter.next a 1 0 0 1 ok\n2 register.read b 3 0 2 3 ok\n1 token.run a 5 0 0 1 ok\n",
     "register b:"},
};

static const struct known good[] = {
    {"an unknown write takes effect late",
     "1 register.write s 5 0 0 - unknown\n2 register.read s 0 0 2 3 ok\n"
     "2 register.write s 6 0 4 5 ok\n2 register.read s 5 0 6 7 ok\n",
     ""},
    {"an unknown write never takes effect",
     "1 register.write s 5 0 0 - unknown\n2 register.write s 6 0 2 3 ok\n"
     "2 register.read s 6 0 6 7 ok\n",
     ""},
    {"concurrent writes in the order that the reads show",
     "1 register.write s 1 0 0 10 ok\n2 register.write s 2 0 0 10 ok\n"
     "3 register.read s 2 0 2 3 ok\n3 register.read s 1 0 4 5 ok\n",
     ""},
    {"equal times are concurrent", "1 register.write s 1 0 0 5 ok\n2 register.read s 0 0 5 6 ok\n",
     ""},
    {"a register that had a version before",
     "1 register.read s 0 40 0 1 ok\n1 register.write s 1 41 2 3 ok\n"
     "2 register.write s 2 0 4 5 ok\n2 register.read s 2 44 6 7 ok\n",
     ""},
    {"an unknown number explains the gap",
     "1 counter.next f 0 0 0 - unknown\n2 counter.next f 2 0 2 3 ok\n", ""},
    {"numbers of concurrent requests in any order",
     "1 counter.next f 2 0 0 9 ok\n2 counter.next f 1 0 1 9 ok\n3 counter.read f 2 0 10 11 ok\n",
     ""},
    {"trying again finds the same task",
     "1 token.run t 0 0 0 - unknown\n1 token.run t 7 0 2 3 ok\n1 token.run t 7 0 4 5 ok\n", ""},
    {"an unknown run is found late",
     "1 token.run t 0 0 0 - unknown\n2 token.read t 0 0 2 3 ok\n2 token.read t 7 0 4 5 ok\n", ""},
    {"a task stops by itself", "1 latch.read x 0 0 0 1 ok\n1 latch.read x 1 0 2 3 ok\n", ""},
    {"nothing at all", "# client kind key value version invoke return outcome\n\n", ""},
};

static enum lin_verdict judge(const struct known *k, struct buf *text)
{
    struct hist h;
    enum lin_verdict verdict;
    load_text(&h, k->text);
    buf_clear(text);
    verdict = lincheck(&h, NULL, text);
    hist_close(&h);
    return verdict;
}

START_TEST(known_bad_histories_are_refused_with_the_reason)
    {
        struct buf text;
        buf_init(&text, test_mem(), TEXT_MAX_BYTES);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            ck_assert_msg(judge(&bad[i], &text) == LIN_VIOLATION, "%s", bad[i].what);
            ck_assert_msg(strstr(buf_cstr(&text), bad[i].says) != NULL, "%s: '%s' is not in:\n%s",
                          bad[i].what, bad[i].says, buf_cstr(&text));
        }
        buf_close(&text);
        ck_assert_uint_ge(sizeof bad / sizeof bad[0], 20);
    }
END_TEST

START_TEST(known_good_histories_are_accepted_in_silence)
    {
        struct buf text;
        buf_init(&text, test_mem(), TEXT_MAX_BYTES);
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
            ck_assert_msg(judge(&good[i], &text) == LIN_OK, "%s:\n%s", good[i].what,
                          buf_cstr(&text));
            ck_assert_str_eq(buf_cstr(&text), "");
        }
        buf_close(&text);
    }
END_TEST

/* --- size ---------------------------------------------------------------------------------------
 */

/* 20 clients, each with one operation at a time, on one register; a tenth without answer. */
static void long_history(struct hist *h, unsigned n, uint64_t seed)
{
    uint64_t busy_until[20] = {0};
    struct draw *ops = calloc(n, sizeof *ops);
    struct prng p;
    prng_init(&p, seed);
    ck_assert(ops != NULL);
    for (unsigned i = 0; i < n; i++) {
        struct hist_op *op = &ops[i].op;
        op->client = (uint32_t)prng_below(&p, 20);
        op->kind = prng_below(&p, 2) == 0 ? HIST_REGISTER_WRITE : HIST_REGISTER_READ;
        op->outcome = HIST_OK;
        op->invoke = busy_until[op->client] + prng_below(&p, 50);
        op->ret = op->invoke + 1 + prng_below(&p, 50);
        op->value = op->kind == HIST_REGISTER_WRITE ? (int64_t)i + 1 : 0;
        busy_until[op->client] = op->ret + 1;
        ops[i].moment = op->invoke + prng_below(&p, op->ret - op->invoke + 1);
        ops[i].effective = true;
        if (op->kind == HIST_REGISTER_WRITE && prng_below(&p, 10) == 0) {
            op->outcome = HIST_UNKNOWN;
            ops[i].effective = prng_below(&p, 2) == 0;
            ops[i].moment = op->invoke + prng_below(&p, 500);
        }
    }
    qsort(ops, n, sizeof *ops, by_moment);
    execute(ops, n, &p);
    for (unsigned i = 0; i < n; i++) {
        struct hist_op *op = &ops[i].op;
        size_t at = hist_begin(h, op->client, op->kind, "k", op->value, op->invoke);
        if (op->outcome == HIST_OK) {
            hist_ok(h, at, op->value, 0, op->ret);
        }
    }
    free(ops);
}

START_TEST(two_thousand_operations_of_twenty_clients_are_judged)
    {
        struct buf text;
        struct hist h;
        buf_init(&text, test_mem(), TEXT_MAX_BYTES);
        for (uint64_t seed = 1; seed <= 5; seed++) {
            hist_init(&h, test_mem());
            long_history(&h, 2000, seed);
            ck_assert_msg(lincheck(&h, NULL, &text) == LIN_OK, "seed %llu:\n%s",
                          (unsigned long long)seed, buf_cstr(&text));
            hist_close(&h);
        }
        buf_close(&text);
    }
END_TEST

START_TEST(one_stale_read_among_two_thousand_is_found_and_isolated)
    {
        struct buf text;
        struct hist h;
        unsigned lines = 0;
        size_t op = 1500;
        int64_t stale = 0;
        buf_init(&text, test_mem(), TEXT_MAX_BYTES);
        hist_init(&h, test_mem());
        long_history(&h, 2000, 6);
        for (size_t i = 0; i < 700; i++) {
            stale = h.ops[i].kind == HIST_REGISTER_READ ? h.ops[i].value : stale;
        }
        while (h.ops[op].kind != HIST_REGISTER_READ) {
            op++;
        }
        h.ops[op].value = stale;
        ck_assert_int_eq(lincheck(&h, NULL, &text), LIN_VIOLATION);
        for (const char *at = buf_cstr(&text); (at = strchr(at, '\n')) != NULL; at++) {
            lines++;
        }
        ck_assert_msg(lines <= 6, "%s", buf_cstr(&text));
        hist_close(&h);
        buf_close(&text);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(what_exceeds_the_limits_is_said_to_be_too_big)
    {
        static const struct lin_limits few_ops = {.ops_max = 1999};
        static const struct lin_limits few_steps = {.steps_max = 1000};
        static const struct lin_limits small_memo = {.memo_max = 4096};
        const struct lin_limits *const limits[] = {&few_ops, &few_steps, &small_memo};
        struct hist h;
        hist_init(&h, test_mem());
        long_history(&h, 2000, 7);
        for (unsigned i = 0; i < 3; i++) {
            struct buf text;
            buf_init(&text, test_mem(), TEXT_MAX_BYTES);
            ck_assert_int_eq(lincheck(&h, limits[i], &text), LIN_TOO_BIG);
            ck_assert(strstr(buf_cstr(&text), "judged") != NULL);
            buf_close(&text);
        }
        hist_close(&h);
    }
END_TEST

/* --- files --------------------------------------------------------------------------------------
 */

START_TEST(a_saved_history_is_the_same_when_loaded)
    {
        char path[] = "/tmp/ecs-history-XXXXXX";
        struct err err = {0};
        struct hist h;
        struct hist again;
        struct prng p;
        prng_init(&p, 9);
        ck_assert_int_ge(close(mkstemp(path)), 0);
        hist_init(&h, test_mem());
        hist_init(&again, test_mem());
        for (unsigned i = 0; i < 500; i++) {
            random_history(&h, &p);
        }
        ck_assert_int_eq(hist_save(&h, path, &err), 0);
        ck_assert_msg(hist_load(&again, path, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(h.n_ops, again.n_ops);
        for (size_t i = 0; i < h.n_ops; i++) {
            ck_assert_mem_eq(&h.ops[i], &again.ops[i], sizeof h.ops[i]);
        }
        hist_close(&h);
        hist_close(&again);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_damaged_file_is_refused_with_the_line)
    {
        static const char *const lines[] = {
            "1 register.write s 1 0 0 1",         "1 register.write s 1 0 0 1 ok again",
            "-1 register.write s 1 0 0 1 ok",     "1 register.wrote s 1 0 0 1 ok",
            "1 register.write  1 0 0 1 ok",       "1 register.write s one 0 0 1 ok",
            "1 register.write s 1 0 5 1 ok",      "1 register.write s 1 0 0 - ok",
            "1 register.write s 1 0 0 1 unknown", "1 register.write s 1 0 0 1 perhaps",
        };
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            char path[] = "/tmp/ecs-history-XXXXXX";
            struct err err = {0};
            struct hist h;
            FILE *f = fdopen(mkstemp(path), "w");
            ck_assert(f != NULL);
            (void)fprintf(f, "# fine\n%s\n", lines[i]);
            ck_assert_int_eq(fclose(f), 0);
            hist_init(&h, test_mem());
            ck_assert_msg(hist_load(&h, path, &err) == ERR_PARSE, "%s", lines[i]);
            ck_assert_msg(strstr(err.text, "line 2") != NULL, "%s", err.text);
            hist_close(&h);
            ck_assert_int_eq(unlink(path), 0);
        }
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("lincheck");
    TEST_CASE(s, "brute force", 120, the_checker_agrees_with_brute_force);
    TEST_CASE(s, "known", 30, known_bad_histories_are_refused_with_the_reason,
              known_good_histories_are_accepted_in_silence);
    TEST_CASE(s, "size", 120, two_thousand_operations_of_twenty_clients_are_judged,
              one_stale_read_among_two_thousand_is_found_and_isolated,
              what_exceeds_the_limits_is_said_to_be_too_big);
    TEST_CASE(s, "file", 30, a_saved_history_is_the_same_when_loaded,
              a_damaged_file_is_refused_with_the_line);
    return test_run(s);
}
