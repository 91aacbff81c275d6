/* The configuration file:
 *
 *     # a comment
 *     name = value            # not a comment: values may contain any character
 *     name = "  quoted \" \\  "
 *
 * A line is an option; a list may have several. */
#include "common/base/buf.h"
#include "common/conf/conf_impl.h"
#include "common/loop/sysmem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct str trim(struct str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s = str_slice(s, 1, s.n);
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r')) {
        s.n--;
    }
    return s;
}

/* "a \"b\" \\" without its quotes and escapes. */
static int unquote(struct conf *c, struct str *s, struct err *err)
{
    char *to;
    size_t n = 0;
    if (!str_starts(*s, "\"")) {
        return 0;
    }
    to = arena_alloc(&c->arena, s->n);
    for (size_t i = 1; i < s->n; i++) {
        if (s->p[i] == '"') {
            if (i + 1 != s->n) {
                return err_set(err, ERR_PARSE, "text after the closing quote");
            }
            *s = str_make(to, n);
            return 0;
        }
        if (s->p[i] == '\\' && i + 1 < s->n) {
            i++;
            if (s->p[i] != '"' && s->p[i] != '\\') {
                return err_set(err, ERR_PARSE, "only \\\" and \\\\ are known escapes");
            }
        }
        to[n++] = s->p[i];
    }
    return err_set(err, ERR_PARSE, "the closing quote is missing");
}

static int read_line(struct conf *c, unsigned number, struct str line, struct err *err)
{
    struct str name;
    struct str value;
    size_t option;
    size_t equals;
    int rv;
    line = trim(line);
    if (line.n == 0 || line.p[0] == '#') {
        return 0;
    }
    equals = str_find(line, '=', 0);
    if (equals == line.n) {
        return err_set(err, ERR_PARSE, "want name = value");
    }
    name = trim(str_slice(line, 0, equals));
    value = trim(str_slice(line, equals + 1, line.n));
    rv = unquote(c, &value, err);
    if (rv != 0) {
        return rv;
    }
    if (memchr(line.p, '\0', line.n) != NULL) {
        return err_set(err, ERR_PARSE, "a NUL byte");
    }
    option = conf_find(c->program, name);
    if (option == SIZE_MAX) {
        return conf_unknown(c->program, "", name, err);
    }
    if (c->raw[option].origin > CONF_FROM_FILE) {
        return 0; /* The command line has the word. */
    }
    return conf_offer(c, option, CONF_FROM_FILE, number, value, err);
}

static int slurp(const char *path, struct buf *b, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = -1;
    if (fd < 0) {
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    }
    do {
        uint8_t part[4096];
        n = read(fd, part, sizeof part);
        if (n > 0) {
            buf_put(b, part, (size_t)n);
        }
    } while (n > 0 && !b->overflow);
    if (n < 0) {
        (void)err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    (void)close(fd);
    if (b->overflow) {
        return err_set(err, ERR_TOOBIG, "%s: larger than %u bytes", path, CONF_FILE_MAX);
    }
    return n < 0 ? ERR_IO : 0;
}

int conf_read_text(struct conf *c, const char *path, struct str text, struct err *err)
{
    unsigned number = 0;
    while (text.n > 0) {
        struct str line = str_cut(text, '\n', &text);
        int rv;
        number++;
        rv = read_line(c, number, line, err);
        if (rv != 0) {
            return err_wrap(err, rv, "%s:%u", path, number);
        }
    }
    return 0;
}

int conf_read_file(struct conf *c, const char *path, struct err *err)
{
    struct buf b;
    int rv;
    buf_init(&b, sysmem(), CONF_FILE_MAX);
    c->file = arena_strdup(&c->arena, path);
    rv = slurp(path, &b, err);
    if (rv == 0) {
        rv = conf_read_text(c, path, str_make((const char *)b.data, b.len), err);
    }
    buf_close(&b);
    return rv;
}
