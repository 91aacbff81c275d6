#include "tests/lib/history.h"

#include "common/base/hash.h"
#include "common/base/str.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NAMES_MAX (256u << 20)
#define LINE_MAX_ 1024

#define HIST_X(kind, name) name,
static const char *const kind_names[] = {HIST_KIND_TABLE(HIST_X)};
#undef HIST_X

static const char *const outcome_names[] = {"unknown", "ok", "fail"};

void hist_init(struct hist *h, const struct mem *mem)
{
    memset(h, 0, sizeof *h);
    h->mem = mem;
    buf_init(&h->names, mem, NAMES_MAX);
    map_init(&h->by_name, mem);
}

void hist_close(struct hist *h)
{
    if (h->mem != NULL) {
        mem_free(h->mem, h->ops, h->cap_ops * sizeof *h->ops);
        mem_free(h->mem, h->keys, h->cap_keys * sizeof *h->keys);
        buf_close(&h->names);
        map_close(&h->by_name);
    }
    memset(h, 0, sizeof *h);
}

/* --- keys ---------------------------------------------------------------------------------------
 */

const char *hist_key(const struct hist *h, uint32_t key)
{
    assert(key < h->n_keys);
    return (const char *)h->names.data + h->keys[key];
}

uint32_t hist_n_keys(const struct hist *h)
{
    return h->n_keys;
}

static bool name_eq(const void *ctx, uint32_t value, const void *key)
{
    return strcmp(hist_key(ctx, value), key) == 0;
}

static uint32_t intern(struct hist *h, const char *name)
{
    size_t n = strlen(name);
    uint64_t hash = hash_bytes(name, n, 0);
    uint32_t key = map_get(&h->by_name, hash, name_eq, h, name);
    assert(n > 0);
    assert(n <= HIST_KEY_MAX);
    if (key != MAP_NONE) {
        return key;
    }
    if (h->n_keys == h->cap_keys) {
        uint32_t cap = h->cap_keys == 0 ? 64 : h->cap_keys * 2;
        h->keys = mem_resize(h->mem, h->keys, h->cap_keys * sizeof *h->keys, cap * sizeof *h->keys);
        h->cap_keys = cap;
    }
    key = h->n_keys++;
    h->keys[key] = (uint32_t)h->names.len;
    buf_put(&h->names, name, n + 1);
    assert(!h->names.overflow);
    map_put(&h->by_name, hash, key);
    return key;
}

/* --- recording ----------------------------------------------------------------------------------
 */

const char *hist_kind_name(enum hist_kind kind)
{
    assert(kind < HIST_KIND_N);
    return kind_names[kind];
}

size_t hist_begin(struct hist *h, uint32_t client, enum hist_kind kind, const char *key,
                  int64_t value, uint64_t now)
{
    assert(kind < HIST_KIND_N);
    assert(h->n_ops < HIST_OPS_MAX);
    if (h->n_ops == h->cap_ops) {
        size_t cap = h->cap_ops == 0 ? 256 : h->cap_ops * 2;
        h->ops = mem_resize(h->mem, h->ops, h->cap_ops * sizeof *h->ops, cap * sizeof *h->ops);
        h->cap_ops = cap;
    }
    h->ops[h->n_ops] = (struct hist_op){
        .kind = kind,
        .outcome = HIST_UNKNOWN,
        .client = client,
        .key = intern(h, key),
        .value = value,
        .invoke = now,
        .ret = HIST_NEVER,
    };
    return h->n_ops++;
}

static struct hist_op *finish(struct hist *h, size_t op, enum hist_outcome outcome, uint64_t now)
{
    assert(op < h->n_ops);
    assert(h->ops[op].outcome == HIST_UNKNOWN);
    assert(now >= h->ops[op].invoke);
    assert(now != HIST_NEVER);
    h->ops[op].outcome = outcome;
    h->ops[op].ret = now;
    return &h->ops[op];
}

void hist_ok(struct hist *h, size_t op, int64_t value, uint64_t version, uint64_t now)
{
    struct hist_op *o = finish(h, op, HIST_OK, now);
    assert(o->kind != HIST_REGISTER_WRITE || o->value == value);
    o->value = value;
    o->version = version;
}

void hist_fail(struct hist *h, size_t op, uint64_t now)
{
    (void)finish(h, op, HIST_FAIL, now);
}

/* --- file ---------------------------------------------------------------------------------------
 */

void hist_print(const struct hist *h, const struct hist_op *op, struct buf *out)
{
    buf_printf(out, "%u %s %s %lld %llu %llu ", op->client, kind_names[op->kind],
               hist_key(h, op->key), (long long)op->value, (unsigned long long)op->version,
               (unsigned long long)op->invoke);
    if (op->ret == HIST_NEVER) {
        buf_puts(out, "-");
    } else {
        buf_printf(out, "%llu", (unsigned long long)op->ret);
    }
    buf_printf(out, " %s", outcome_names[op->outcome]);
}

int hist_save(const struct hist *h, const char *path, struct err *err)
{
    struct buf line;
    int failed;
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        return err_set(err, ERR_IO, "history %s: %s", path, strerror(errno));
    }
    (void)fputs("# client kind key value version invoke return outcome\n", f);
    buf_init(&line, h->mem, LINE_MAX_);
    for (size_t i = 0; i < h->n_ops; i++) {
        buf_clear(&line);
        hist_print(h, &h->ops[i], &line);
        (void)fprintf(f, "%s\n", buf_cstr(&line));
    }
    buf_close(&line);
    failed = ferror(f);
    if (fclose(f) != 0 || failed != 0) {
        return err_set(err, ERR_IO, "history %s: %s", path, strerror(errno));
    }
    return 0;
}

static bool read_name(struct str word, const char *const *names, unsigned n, unsigned *ret)
{
    for (unsigned i = 0; i < n; i++) {
        if (str_eqc(word, names[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool read_time(struct str word, uint64_t *ret)
{
    *ret = HIST_NEVER;
    return str_eqc(word, "-") || (str_u64(word, ret) && *ret != HIST_NEVER);
}

/* NULL, or what is wrong with the words of a line. */
static const char *read_words(const struct str word[8], struct hist_op *op)
{
    unsigned kind = 0;
    unsigned outcome = 0;
    uint64_t client;
    if (!str_u64(word[0], &client) || client > UINT32_MAX) {
        return "client: a number of 32 bits is expected";
    }
    if (!read_name(word[1], kind_names, HIST_KIND_N, &kind)) {
        return "kind: not one of those known";
    }
    if (word[2].n == 0 || word[2].n > HIST_KEY_MAX) {
        return "key: 1 to 255 bytes are expected";
    }
    if (!str_i64(word[3], &op->value) || !str_u64(word[4], &op->version)) {
        return "value and version: numbers are expected";
    }
    if (!str_u64(word[5], &op->invoke) || !read_time(word[6], &op->ret) || op->ret < op->invoke) {
        return "invoke and return: two times in order are expected";
    }
    if (!read_name(word[7], outcome_names, 3, &outcome)) {
        return "outcome: ok, fail or unknown is expected";
    }
    if ((outcome == HIST_UNKNOWN) != (op->ret == HIST_NEVER)) {
        return "return: \"-\" goes with unknown, and only with it";
    }
    op->client = (uint32_t)client;
    op->kind = (enum hist_kind)kind;
    op->outcome = (enum hist_outcome)outcome;
    return NULL;
}

static const char *load_line(struct hist *h, struct str line)
{
    struct str word[8];
    struct hist_op op = {0};
    char key[HIST_KEY_MAX + 1];
    const char *wrong;
    size_t at;
    if (line.n == 0 || line.p[0] == '#') {
        return NULL;
    }
    for (unsigned i = 0; i < 8; i++) {
        word[i] = str_cut(line, ' ', &line);
    }
    wrong = line.n > 0 ? "eight words are expected" : read_words(word, &op);
    if (wrong != NULL) {
        return wrong;
    }
    if (h->n_ops == HIST_OPS_MAX) {
        return "too many operations";
    }
    (void)str_copy(key, sizeof key, word[2]);
    at = hist_begin(h, op.client, op.kind, key, op.value, op.invoke);
    op.key = h->ops[at].key;
    h->ops[at] = op;
    return NULL;
}

int hist_load(struct hist *h, const char *path, struct err *err)
{
    char line[LINE_MAX_];
    unsigned number = 0;
    const char *wrong = NULL;
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return err_set(err, ERR_IO, "history %s: %s", path, strerror(errno));
    }
    while (wrong == NULL && fgets(line, sizeof line, f) != NULL) {
        struct str text = str_of(line);
        number++;
        if (!str_ends(text, "\n")) {
            wrong = "the line is too long, or the file ends within it";
        } else {
            text.n--;
            wrong = load_line(h, text);
        }
    }
    if (wrong == NULL && ferror(f) != 0) {
        wrong = strerror(errno);
    }
    (void)fclose(f);
    if (wrong != NULL) {
        return err_set(err, ERR_PARSE, "history %s: line %u: %s", path, number, wrong);
    }
    return 0;
}
