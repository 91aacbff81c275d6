/* Text to values, near misses, and the text of --help. */
#include "common/base/buf.h"
#include "common/conf/conf_impl.h"
#include "common/loop/sysmem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX    64
#define HELP_COLUMN 30
#define HELP_WIDTH  79

bool conf_parse_bool(struct str text, bool *ret)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (str_eqc(text, yes[i]) || str_eqc(text, no[i])) {
            *ret = str_eqc(text, yes[i]);
            return true;
        }
    }
    return false;
}

/* The digits at the beginning of *text, which moves on. */
static bool take_number(struct str *text, uint64_t *ret)
{
    size_t n = 0;
    while (n < text->n && text->p[n] >= '0' && text->p[n] <= '9') {
        n++;
    }
    if (!str_u64(str_slice(*text, 0, n), ret)) {
        return false;
    }
    *text = str_slice(*text, n, text->n);
    return true;
}

bool conf_parse_size(struct str text, uint64_t *ret)
{
    static const char units[] = "kmgt";
    uint64_t n;
    uint64_t scale = 1;
    if (!take_number(&text, &n)) {
        return false;
    }
    if (text.n > 0 && text.p[0] != 'B') {
        const char *unit = strchr(units, text.p[0] | 0x20);
        if (unit == NULL || *unit == '\0') {
            return false;
        }
        scale = UINT64_C(1) << (10 * (unit - units + 1));
        text = str_slice(text, str_starts(str_slice(text, 1, text.n), "i") ? 2 : 1, text.n);
    }
    if ((text.n > 0 && !str_eqc(text, "B")) || n > UINT64_MAX / scale) {
        return false;
    }
    *ret = n * scale;
    return true;
}

static bool take_unit(struct str *text, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t n = 0;
    while (n < text->n && text->p[n] >= 'a' && text->p[n] <= 'z') {
        n++;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (str_eqc(str_slice(*text, 0, n), units[i].name)) {
            *text = str_slice(*text, n, text->n);
            *ret = units[i].ms;
            return true;
        }
    }
    return false;
}

bool conf_parse_duration(struct str text, uint64_t *ret)
{
    uint64_t sum = 0;
    if (str_eqc(text, "0")) {
        *ret = 0;
        return true;
    }
    do {
        uint64_t n;
        uint64_t scale;
        if (!take_number(&text, &n) || !take_unit(&text, &scale) || n > UINT64_MAX / scale ||
            n * scale > UINT64_MAX - sum) {
            return false;
        }
        sum += n * scale;
    } while (text.n > 0);
    *ret = sum;
    return true;
}

/* --- numbers as people write them
 * ------------------------------------------------------------------------- */

static void write_number(enum conf_type type, uint64_t n, char ret[32])
{
    static const char *const sizes[] = {"", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    if (type == CONF_SIZE) {
        while (unit < 4 && n > 0 && n % 1024 == 0) {
            n /= 1024;
            unit++;
        }
        (void)snprintf(ret, 32, "%" PRIu64 "%s", n, sizes[unit]);
    } else if (type == CONF_DURATION) {
        bool hours = n > 0 && n % 3600000 == 0;
        bool seconds = n > 0 && n % 1000 == 0;
        (void)snprintf(ret, 32, "%" PRIu64 "%s",
                       hours     ? n / 3600000
                       : seconds ? n / 1000
                                 : n,
                       hours     ? "h"
                       : seconds ? "s"
                                 : "ms");
    } else {
        (void)snprintf(ret, 32, "%" PRIu64, n);
    }
}

static int check_bounds(const struct conf_option *o, uint64_t n, struct err *err)
{
    char is[32];
    char min[32];
    char max[32];
    if ((o->min == 0 && o->max == 0) || (n >= o->min && n <= o->max)) {
        return 0;
    }
    write_number(o->type, n, is);
    write_number(o->type, o->min, min);
    write_number(o->type, o->max, max);
    return err_set(err, ERR_INVALID, "%s is out of range: want %s to %s", is, min, max);
}

static int convert_number(const struct conf_option *o, struct str text, uint64_t *ret,
                          struct err *err)
{
    bool ok = false;
    const char *want = "a whole number";
    if (o->type == CONF_SIZE) {
        ok = conf_parse_size(text, ret);
        want = "a size such as 512, 64k or 10MiB";
    } else if (o->type == CONF_DURATION) {
        ok = conf_parse_duration(text, ret);
        want = "a duration such as 500ms, 5s, 10m or 2h";
    } else {
        ok = str_u64(text, ret);
    }
    if (!ok) {
        return err_set(err, ERR_INVALID, "\"%.*s\" is not %s", STR_ARG(text), want);
    }
    return check_bounds(o, *ret, err);
}

static int check_choice(const struct conf_option *o, const char *text, struct err *err)
{
    char list[256] = "";
    size_t n = 0;
    if (o->choices == NULL) {
        return 0;
    }
    for (const char *const *c = o->choices; *c != NULL; c++) {
        int len;
        if (strcmp(*c, text) == 0) {
            return 0;
        }
        len = snprintf(list + n, sizeof list - n, "%s%s", n == 0 ? "" : ", ", *c);
        n = len > 0 && (size_t)len < sizeof list - n ? n + (size_t)len : n;
    }
    return err_set(err, ERR_INVALID, "\"%s\" is not one of %s", text, list);
}

static int convert_list(struct conf *c, const struct conf_raw *raw, struct conf_list *ret,
                        struct err *err)
{
    const char **items = arena_array(&c->arena, CONF_LIST_MAX, sizeof *items);
    size_t n = 0;
    for (size_t i = 0; i < raw->n; i++) {
        struct str rest = str_of(raw->text[i]);
        while (rest.n > 0) {
            struct str item = str_cut(rest, ',', &rest);
            while (item.n > 0 && item.p[0] == ' ') {
                item = str_slice(item, 1, item.n);
            }
            while (item.n > 0 && item.p[item.n - 1] == ' ') {
                item.n--;
            }
            if (item.n == 0) {
                return err_set(err, ERR_INVALID, "an empty item in \"%s\"", raw->text[i]);
            }
            if (n == CONF_LIST_MAX) {
                return err_set(err, ERR_TOOBIG, "more than %d items", CONF_LIST_MAX);
            }
            items[n++] = arena_dup(&c->arena, item.p, item.n);
        }
    }
    ret->n = n;
    ret->items = items;
    return 0;
}

int conf_convert(struct conf *c, const struct conf_option *o, const struct conf_raw *raw,
                 union conf_value *ret, struct err *err)
{
    struct str text = str_of(raw->text[0]);
    switch (o->type) {
    case CONF_STRING:
        ret->text = raw->text[0];
        return check_choice(o, raw->text[0], err);
    case CONF_BOOL:
        return conf_parse_bool(text, &ret->truth)
                   ? 0
                   : err_set(err, ERR_INVALID, "\"%.*s\" is not true or false", STR_ARG(text));
    case CONF_U64:
    case CONF_SIZE:
    case CONF_DURATION:
        return convert_number(o, text, &ret->number, err);
    case CONF_LIST:
        return convert_list(c, raw, &ret->list, err);
    }
    return err_set(err, ERR_INTERNAL, "option type %d", (int)o->type);
}

/* --- near misses
 * -------------------------------------------------------------------------------------------- */

/* Insertions, deletions, substitutions and swaps of neighbours between two short words. */
static size_t distance(struct str a, struct str b)
{
    size_t row[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b.n; j++) {
        row[0][j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        size_t *now = row[i % 3];
        const size_t *last = row[(i + 2) % 3];
        const size_t *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return row[a.n % 3][b.n];
}

const char *conf_suggest(struct str word, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    size_t limit = word.n / 3 + 1; /* A third of the letters wrong is no slip. */
    if (word.n == 0 || word.n > WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        struct str c = str_of(candidates[i]);
        if (c.n <= WORD_MAX) {
            size_t d = distance(word, c);
            if (d < limit || (d == limit && best == NULL && word.n > 2)) {
                best = candidates[i];
                limit = d;
            }
        }
    }
    return best;
}

/* --- help
 * ----------------------------------------------------------------------------------------------------
 */

static const char *arg_name(const struct conf_option *o)
{
    static const char *const names[] = {"TEXT", "N", "", "SIZE", "DURATION", "LIST"};
    return o->arg != NULL ? o->arg : names[o->type];
}

/* Words from `column` on, wrapped. */
static void put_wrapped(struct buf *b, struct str text, size_t at)
{
    size_t column = HELP_COLUMN;
    if (at >= HELP_COLUMN) {
        buf_puts(b, "\n");
        at = 0;
    }
    buf_printf(b, "%*s", (int)(HELP_COLUMN - at), "");
    while (text.n > 0) {
        struct str word = str_cut(text, ' ', &text);
        if (column > HELP_COLUMN && column + 1 + word.n > HELP_WIDTH) {
            buf_printf(b, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            buf_puts(b, " ");
            column++;
        }
        buf_put(b, word.p, word.n);
        column += word.n;
    }
    buf_puts(b, "\n");
}

static void put_option(struct conf *c, struct buf *b, const struct conf_option *o)
{
    size_t before = b->len;
    struct buf help;
    const char *arg = arg_name(o);
    (void)c;
    buf_printf(b, "  --%s%s%s", o->name, arg[0] == '\0' ? "" : " ", arg);
    buf_init(&help, sysmem(), 8192);
    buf_puts(&help, o->help);
    for (const char *const *choice = o->choices; choice != NULL && *choice != NULL; choice++) {
        buf_printf(&help, "%s%s", choice == o->choices ? " One of " : ", ", *choice);
        buf_puts(&help, choice[1] == NULL ? "." : "");
    }
    if (o->required) {
        buf_puts(&help, " Required.");
    }
    if (o->value != NULL && o->value[0] != '\0') {
        buf_printf(&help, " [%s]", o->value);
    }
    if (o->env != NULL) {
        buf_printf(&help, " (%s)", o->env);
    }
    put_wrapped(b, str_make((const char *)help.data, help.len), b->len - before);
    buf_close(&help);
}

char *conf_help(struct conf *c)
{
    const struct conf_program *p = c->program;
    struct buf b;
    char *text;
    buf_init(&b, sysmem(), 1024u * 1024u);
    buf_printf(&b, "Usage: %s %s\n\n%s\n\nOptions [default] (environment):\n", p->name,
               p->usage == NULL ? "[options]" : p->usage, p->summary);
    for (size_t i = 0; i < p->n_options; i++) {
        put_option(c, &b, &p->options[i]);
    }
    buf_puts(&b, "  --config FILE");
    put_wrapped(&b, STR("Read options from FILE, one name = value a line."), 15);
    buf_puts(&b, "  --help");
    put_wrapped(&b, STR("Show this and exit."), 8);
    buf_puts(&b, "  --version");
    put_wrapped(&b, STR("Show the version and exit."), 11);
    if (p->default_file != NULL) {
        buf_printf(&b, "\nThe file %s is read if it exists.\n", p->default_file);
    }
    text = arena_dup(&c->arena, (const char *)b.data, b.len);
    buf_close(&b);
    return text;
}
