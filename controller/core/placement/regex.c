/* Patterns become a small program for a machine that runs all alternatives at once (Thompson 1968,
 * in the bytecode form of Pike). All jumps are relative, so a piece of program can be shifted or
 * copied as it is; that makes counted repetition a copy and keeps the compiler to one pass with an
 * explicit stack of groups. A lazily built DFA would match faster; constraints are evaluated once
 * per kind of node, so it would not be noticed. */
#include "controller/core/placement/regex.h"

#include <assert.h>
#include <string.h>

#define CLASSES_MAX 128
#define NO_ATOM     UINT32_MAX

enum op { OP_BYTE, OP_ANY, OP_CLASS, OP_BEGIN, OP_END, OP_SPLIT, OP_JUMP, OP_MATCH };

struct inst {
    uint8_t op;
    uint8_t arg; /* Byte, or number of the class. */
    int16_t to;  /* OP_JUMP: where; OP_SPLIT: the second way, the first is the next instruction. */
};

struct class {
    uint8_t bits[32];
};

struct regex {
    const struct mem *mem;
    uint32_t n_insts;
    uint32_t n_classes;
    struct class *classes;
    struct inst *insts;
};

/* One open group; the outermost is the pattern itself. */
struct group {
    uint32_t start;     /* First instruction of the group. */
    uint32_t alt;       /* First instruction of the current alternative. */
    uint32_t last_jump; /* OP_JUMP at the end of the previous alternative, chained by `to`. */
};

struct compiler {
    struct str text;
    size_t at;
    struct err *err;
    uint32_t n_insts;
    uint32_t n_classes;
    uint32_t n_groups;
    uint32_t atom; /* Where the thing starts that a quantifier would repeat. */
    struct group groups[REGEX_DEPTH_MAX + 1];
    struct class classes[CLASSES_MAX];
    struct inst insts[REGEX_PROGRAM_MAX];
};

static int fail(struct compiler *c, size_t at, const char *what)
{
    return err_set(c->err, ERR_PARSE, "pattern, column %zu: %s", at + 1, what);
}

static int too_big(struct compiler *c)
{
    return err_set(c->err, ERR_TOOBIG, "pattern needs more than %d states or %d classes",
                   REGEX_PROGRAM_MAX, CLASSES_MAX);
}

static bool is_alnum(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool more(const struct compiler *c)
{
    return c->at < c->text.n;
}

static char peek(const struct compiler *c)
{
    if (!more(c)) {
        return '\0';
    }
    return c->text.p[c->at];
}

static void class_add(struct class *set, uint8_t first, uint8_t last)
{
    for (unsigned b = first; b <= last; b++) {
        set->bits[b / 8] = (uint8_t)(set->bits[b / 8] | 1u << (b % 8));
    }
}

static void class_invert(struct class *set)
{
    for (unsigned i = 0; i < sizeof set->bits; i++) {
        set->bits[i] = (uint8_t)~set->bits[i];
    }
}

/* --- emitting --------------------------------------------------------------------------------- */

static int emit(struct compiler *c, enum op op, uint8_t arg, int to)
{
    if (c->n_insts == REGEX_PROGRAM_MAX) {
        return too_big(c);
    }
    c->insts[c->n_insts++] = (struct inst){(uint8_t)op, arg, (int16_t)to};
    return 0;
}

/* Put a split in front of what starts at `at`. */
static int insert_split(struct compiler *c, uint32_t at, int to)
{
    if (c->n_insts == REGEX_PROGRAM_MAX) {
        return too_big(c);
    }
    memmove(&c->insts[at + 1], &c->insts[at], (c->n_insts - at) * sizeof c->insts[0]);
    c->insts[at] = (struct inst){OP_SPLIT, 0, (int16_t)to};
    c->n_insts++;
    return 0;
}

static int emit_class(struct compiler *c, const struct class *set)
{
    if (c->n_classes == CLASSES_MAX) {
        return too_big(c);
    }
    c->classes[c->n_classes] = *set;
    c->n_classes++;
    return emit(c, OP_CLASS, (uint8_t)(c->n_classes - 1), 0);
}

/* x* from x; x starts at `from` and reaches to the end. */
static int make_star(struct compiler *c, uint32_t from)
{
    int len = (int)(c->n_insts - from);
    int rv = insert_split(c, from, len + 2);
    return rv != 0 ? rv : emit(c, OP_JUMP, 0, -(len + 1));
}

static int make_optional(struct compiler *c, uint32_t from)
{
    return insert_split(c, from, (int)(c->n_insts - from) + 1);
}

/* x{min,max} from x; max REGEX_REPEAT_MAX + 1 stands for "no limit". */
static int make_repeat(struct compiler *c, uint32_t from, unsigned min, unsigned max)
{
    uint32_t len = c->n_insts - from;
    bool open = max > REGEX_REPEAT_MAX;
    unsigned copies = open ? min + 1 : max;
    if ((uint64_t)copies * (len + 2) > REGEX_PROGRAM_MAX - from) {
        return too_big(c);
    }
    struct inst *base = &c->insts[from];
    /* The last copy of an open repetition is the starred one; the optional copies of a closed one
     * each get a split in front. Written from a clean copy of x kept behind everything. */
    struct inst x[REGEX_PROGRAM_MAX];
    memcpy(x, base, len * sizeof x[0]);
    c->n_insts = from;
    for (unsigned i = 0; i < copies; i++) {
        uint32_t start = c->n_insts;
        memcpy(&c->insts[start], x, len * sizeof x[0]);
        c->n_insts += len;
        int rv = 0;
        if (i >= min) {
            rv = open ? make_star(c, start) : make_optional(c, start);
        }
        if (rv != 0) {
            return rv;
        }
    }
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* \d and its like; false when ch names no class. */
static bool named_class(char ch, struct class *ret)
{
    memset(ret, 0, sizeof *ret);
    switch (ch) {
    case 'd':
    case 'D':
        class_add(ret, '0', '9');
        break;
    case 'w':
    case 'W':
        class_add(ret, '0', '9');
        class_add(ret, 'A', 'Z');
        class_add(ret, 'a', 'z');
        class_add(ret, '_', '_');
        break;
    case 's':
    case 'S':
        class_add(ret, '\t', '\r');
        class_add(ret, ' ', ' ');
        break;
    default:
        return false;
    }
    if (ch < 'a') {
        class_invert(ret);
    }
    return true;
}

/* The byte an escape stands for; c->at is behind the backslash and moves behind the escape. */
static int read_escape(struct compiler *c, uint8_t *ret)
{
    static const char names[] = "tnrf";
    static const char bytes[] = "\t\n\r\f";
    if (!more(c)) {
        return fail(c, c->at, "expected a character after the backslash");
    }
    char ch = peek(c);
    const char *known = memchr(names, ch, sizeof names - 1);
    if (known == NULL && is_alnum(ch)) {
        return fail(c, c->at - 1, "this escape is not supported");
    }
    c->at++;
    *ret = (uint8_t)(known == NULL ? ch : bytes[known - names]);
    return 0;
}

/* One member of [...]: a byte, or a whole class. */
static int read_class_member(struct compiler *c, struct class *set, uint8_t *ret_byte,
                             bool *ret_is_byte)
{
    struct class named;
    char ch = peek(c);
    c->at++;
    *ret_is_byte = true;
    *ret_byte = (uint8_t)ch;
    if (ch == '[' || (ch == '&' && peek(c) == '&')) {
        return fail(c, c->at - 1, "unions and intersections of classes are not supported");
    }
    if (ch != '\\') {
        return 0;
    }
    if (named_class(peek(c), &named)) {
        c->at++;
        for (unsigned i = 0; i < sizeof set->bits; i++) {
            set->bits[i] = (uint8_t)(set->bits[i] | named.bits[i]);
        }
        *ret_is_byte = false;
        return 0;
    }
    return read_escape(c, ret_byte);
}

/* [...]; c->at is behind the opening bracket. */
static int read_class(struct compiler *c)
{
    struct class set = {{0}};
    size_t open = c->at - 1;
    bool invert = peek(c) == '^';
    c->at += invert;
    for (size_t first = c->at; peek(c) != ']' || c->at == first;) {
        uint8_t from, to;
        bool is_byte, to_is_byte = true;
        if (!more(c)) {
            return fail(c, open, "this class is not closed with ]");
        }
        int rv = read_class_member(c, &set, &from, &is_byte);
        if (rv != 0) {
            return rv;
        }
        to = from;
        if (is_byte && peek(c) == '-' && c->at + 1 < c->text.n && c->text.p[c->at + 1] != ']') {
            c->at++;
            rv = read_class_member(c, &set, &to, &to_is_byte);
            if (rv != 0) {
                return rv;
            }
            if (!to_is_byte || to < from) {
                return fail(c, c->at - 1, "this range of characters is the wrong way round");
            }
        }
        if (is_byte) {
            class_add(&set, from, to);
        }
    }
    c->at++;
    if (invert) {
        class_invert(&set);
    }
    return emit_class(c, &set);
}

/* \Q...\E: every byte stands for itself. */
static int read_quoted(struct compiler *c)
{
    while (more(c)) {
        if (peek(c) == '\\' && c->at + 1 < c->text.n && c->text.p[c->at + 1] == 'E') {
            c->at += 2;
            return 0;
        }
        c->atom = c->n_insts;
        int rv = emit(c, OP_BYTE, (uint8_t)peek(c), 0);
        if (rv != 0) {
            return rv;
        }
        c->at++;
    }
    return 0;
}

/* An escape outside a class; c->at is behind the backslash. */
static int read_escaped_atom(struct compiler *c)
{
    struct class named;
    uint8_t byte = 0;
    if (peek(c) == 'Q' && more(c)) {
        c->at++;
        return read_quoted(c);
    }
    c->atom = c->n_insts;
    if (named_class(peek(c), &named)) {
        c->at++;
        return emit_class(c, &named);
    }
    int rv = read_escape(c, &byte);
    return rv != 0 ? rv : emit(c, OP_BYTE, byte, 0);
}

static int open_group(struct compiler *c)
{
    if (peek(c) == '?') {
        if (c->at + 1 >= c->text.n || c->text.p[c->at + 1] != ':') {
            return fail(c, c->at, "only groups ( ) and (?: ) are supported");
        }
        c->at += 2;
    }
    if (c->n_groups == REGEX_DEPTH_MAX + 1) {
        return fail(c, c->at - 1, "groups are nested too deeply");
    }
    c->groups[c->n_groups++] = (struct group){c->n_insts, c->n_insts, NO_ATOM};
    c->atom = NO_ATOM;
    return 0;
}

static int next_alternative(struct compiler *c)
{
    struct group *g = &c->groups[c->n_groups - 1];
    int rv = insert_split(c, g->alt, (int)(c->n_insts - g->alt) + 2);
    if (rv != 0) {
        return rv;
    }
    int previous = g->last_jump == NO_ATOM ? -1 : (int)g->last_jump;
    g->last_jump = c->n_insts;
    g->alt = c->n_insts + 1;
    c->atom = NO_ATOM;
    return emit(c, OP_JUMP, 0, previous);
}

/* Let the jumps at the ends of the alternatives meet behind the group. */
static void finish_group(struct compiler *c)
{
    struct group *g = &c->groups[--c->n_groups];
    for (uint32_t at = g->last_jump; at != NO_ATOM;) {
        int previous = c->insts[at].to;
        c->insts[at].to = (int16_t)(c->n_insts - at);
        at = previous < 0 ? NO_ATOM : (uint32_t)previous;
    }
    c->atom = g->start;
}

static bool read_count(struct compiler *c, unsigned *ret)
{
    unsigned n = 0;
    size_t first = c->at;
    while (is_digit(peek(c)) && n <= REGEX_REPEAT_MAX) {
        n = n * 10 + (unsigned)(peek(c) - '0');
        c->at++;
    }
    *ret = n;
    return c->at > first && n <= REGEX_REPEAT_MAX;
}

/* {m}, {m,} and {m,n}; c->at is behind the brace. */
static int read_repeat(struct compiler *c, unsigned *ret_min, unsigned *ret_max)
{
    size_t open = c->at - 1;
    if (!read_count(c, ret_min)) {
        return fail(c, open, "expected {m}, {m,} or {m,n} with numbers up to 255");
    }
    *ret_max = *ret_min;
    if (peek(c) == ',') {
        c->at++;
        *ret_max = REGEX_REPEAT_MAX + 1;
        if (peek(c) != '}' && !read_count(c, ret_max)) {
            return fail(c, open, "expected {m}, {m,} or {m,n} with numbers up to 255");
        }
    }
    if (peek(c) != '}' || *ret_max < *ret_min) {
        return fail(c, open, "expected {m}, {m,} or {m,n} with m <= n");
    }
    c->at++;
    return 0;
}

/* A quantifier; c->at is behind its first character. */
static int read_quantifier(struct compiler *c, char ch)
{
    unsigned min = ch == '+' ? 1 : 0;
    unsigned max = ch == '?' ? 1 : REGEX_REPEAT_MAX + 1;
    uint32_t atom = c->atom;
    int rv = 0;
    if (atom == NO_ATOM) {
        return fail(c, c->at - 1, "there is nothing to repeat here");
    }
    if (ch == '{') {
        rv = read_repeat(c, &min, &max);
        if (rv != 0) {
            return rv;
        }
    }
    if (peek(c) == '?') { /* Lazy: prefers another match, but matches the same texts. */
        c->at++;
    } else if (peek(c) == '+') {
        return fail(c, c->at, "possessive quantifiers are not supported");
    }
    c->atom = NO_ATOM;
    if (ch == '*') {
        return make_star(c, atom);
    }
    if (ch == '?') {
        return make_optional(c, atom);
    }
    return make_repeat(c, atom, min, max);
}

static int read_one(struct compiler *c)
{
    char ch = peek(c);
    c->at++;
    switch (ch) {
    case '(':
        return open_group(c);
    case ')':
        if (c->n_groups == 1) {
            return fail(c, c->at - 1, "this ) closes nothing");
        }
        finish_group(c);
        return 0;
    case '|':
        return next_alternative(c);
    case '*':
    case '+':
    case '?':
    case '{':
        return read_quantifier(c, ch);
    case '^':
    case '$':
        c->atom = NO_ATOM;
        return emit(c, ch == '^' ? OP_BEGIN : OP_END, 0, 0);
    case '\\':
        return read_escaped_atom(c);
    case '[':
        c->atom = c->n_insts;
        return read_class(c);
    case '.':
        c->atom = c->n_insts;
        return emit(c, OP_ANY, 0, 0);
    default:
        c->atom = c->n_insts;
        return emit(c, OP_BYTE, (uint8_t)ch, 0);
    }
}

static int compile(struct compiler *c)
{
    c->groups[c->n_groups++] = (struct group){0, 0, NO_ATOM};
    c->atom = NO_ATOM;
    while (more(c)) {
        int rv = read_one(c);
        if (rv != 0) {
            return rv;
        }
    }
    if (c->n_groups > 1) {
        return fail(c, c->text.n, "expected ) to close a group");
    }
    finish_group(c);
    return emit(c, OP_MATCH, 0, 0);
}

static size_t regex_size(const struct regex *r)
{
    return sizeof *r + r->n_classes * sizeof r->classes[0] + r->n_insts * sizeof r->insts[0];
}

int regex_parse(const struct mem *mem, struct str pattern, struct regex **ret, struct err *err)
{
    struct compiler *c = mem_alloc(mem, sizeof *c);
    c->text = pattern;
    c->err = err;
    int rv = compile(c);
    if (rv == 0) {
        struct regex head = {mem, c->n_insts, c->n_classes, NULL, NULL};
        struct regex *r = mem_alloc(mem, regex_size(&head));
        *r = head;
        r->insts = (struct inst *)(void *)(r + 1);
        r->classes = (struct class *)(void *)(r->insts + r->n_insts);
        memcpy(r->insts, c->insts, r->n_insts * sizeof r->insts[0]);
        memcpy(r->classes, c->classes, r->n_classes * sizeof r->classes[0]);
        *ret = r;
    }
    mem_free(mem, c, sizeof *c);
    return rv;
}

void regex_close(struct regex *r)
{
    if (r != NULL) {
        mem_free(r->mem, r, regex_size(r));
    }
}

/* --- running ---------------------------------------------------------------------------------- */

struct machine {
    const struct regex *r;
    size_t len;
    uint32_t n; /* Threads: instructions that wait for a byte, or OP_MATCH. */
    uint32_t step;
    uint16_t threads[REGEX_PROGRAM_MAX];
    uint32_t seen[REGEX_PROGRAM_MAX]; /* Step in which an instruction was last reached. */
    uint16_t todo[REGEX_PROGRAM_MAX + 1];
};

/* Follow everything that takes no byte from instruction pc at position `at`. Each instruction is
 * visited once a step, which bounds the work and ends loops over nothing. */
static void machine_add(struct machine *m, uint32_t pc, size_t at)
{
    uint32_t n_todo = 0;
    m->todo[n_todo++] = (uint16_t)pc;
    while (n_todo > 0) {
        pc = m->todo[--n_todo];
        while (m->seen[pc] != m->step) {
            const struct inst *inst = &m->r->insts[pc];
            m->seen[pc] = m->step;
            if (inst->op == OP_JUMP) {
                pc = (uint32_t)((int)pc + inst->to);
            } else if (inst->op == OP_SPLIT) {
                m->todo[n_todo++] = (uint16_t)((int)pc + inst->to);
                pc++;
            } else if (inst->op == OP_BEGIN || inst->op == OP_END) {
                if (at != (inst->op == OP_BEGIN ? 0 : m->len)) {
                    break;
                }
                pc++;
            } else {
                m->threads[m->n++] = (uint16_t)pc;
                break;
            }
        }
    }
}

static bool takes(const struct regex *r, const struct inst *inst, uint8_t byte)
{
    switch ((enum op)inst->op) {
    case OP_BYTE:
        return inst->arg == byte;
    case OP_ANY:
        return byte != '\n' && byte != '\r';
    case OP_CLASS:
        return (r->classes[inst->arg].bits[byte / 8] >> (byte % 8) & 1) != 0;
    case OP_BEGIN:
    case OP_END:
    case OP_SPLIT:
    case OP_JUMP:
    case OP_MATCH:
        break;
    }
    return false;
}

bool regex_match(const struct regex *r, struct str text)
{
    struct machine m;
    uint16_t now[REGEX_PROGRAM_MAX];
    assert(text.n < UINT32_MAX - 1);
    m.r = r;
    m.len = text.n;
    m.n = 0;
    m.step = 1;
    memset(m.seen, 0, r->n_insts * sizeof m.seen[0]);
    machine_add(&m, 0, 0);
    for (size_t at = 0; at < text.n && m.n > 0; at++) {
        uint32_t n_now = m.n;
        memcpy(now, m.threads, n_now * sizeof now[0]);
        m.n = 0;
        m.step++;
        for (uint32_t i = 0; i < n_now; i++) {
            if (takes(r, &r->insts[now[i]], (uint8_t)text.p[at])) {
                machine_add(&m, now[i] + 1u, at + 1);
            }
        }
    }
    /* Only the last instruction matches, and only when every byte was taken. */
    for (uint32_t i = 0; i < m.n; i++) {
        if (r->insts[m.threads[i]].op == OP_MATCH) {
            return true;
        }
    }
    return false;
}
