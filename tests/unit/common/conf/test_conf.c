/* Configuration: who wins, what each type accepts, and errors that say where and why. */
#include "common/conf/conf.h"
#include "tests/lib/test.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *data_dir;
    const char *level;
    uint64_t port;
    uint64_t cache;
    uint64_t timeout;
    bool tls;
    struct conf_list peers;
};

static const char *const levels[] = {"error", "warn", "info", NULL};

static const struct conf_option options[] = {
    {.name = "data-dir",
     .env = "T_DATA_DIR",
     .offset = offsetof(struct values, data_dir),
     .arg = "DIR",
     .help = "Where state is kept.",
     .required = true},
    {.name = "log-level",
     .offset = offsetof(struct values, level),
     .value = "info",
     .choices = levels,
     .help = "Least important level that is written."},
    {.name = "port",
     .env = "T_PORT",
     .type = CONF_U64,
     .offset = offsetof(struct values, port),
     .value = "7443",
     .min = 1,
     .max = 65535,
     .help = "Where to listen. A long explanation follows so that the text must be wrapped at "
             "some point, or the screen would not do."},
    {.name = "cache",
     .type = CONF_SIZE,
     .offset = offsetof(struct values, cache),
     .value = "1MiB",
     .min = 1024,
     .max = 1u << 30,
     .help = "Cache."},
    {.name = "timeout",
     .type = CONF_DURATION,
     .offset = offsetof(struct values, timeout),
     .help = "Patience."},
    {.name = "tls",
     .env = "T_TLS",
     .type = CONF_BOOL,
     .offset = offsetof(struct values, tls),
     .value = "true",
     .help = "Encrypt."},
    {.name = "peers",
     .env = "T_PEERS",
     .type = CONF_LIST,
     .offset = offsetof(struct values, peers),
     .help = "Peers."},
};

static struct conf_program program = {.name = "tool",
                                      .summary = "A tool.",
                                      .version = "1.2",
                                      .options = options,
                                      .n_options = sizeof options / sizeof options[0]};

struct run {
    struct values v;
    struct conf *c;
    enum conf_outcome outcome;
    int rest;
    struct err err;
};

/* Cuts the first word off; NULL at the end. */
static char *next_word(char **at)
{
    char *word = *at;
    char *blank = strchr(word, ' ');
    if (word[0] == '\0') {
        return NULL;
    }
    *at = blank == NULL ? word + strlen(word) : blank + 1;
    if (blank != NULL) {
        *blank = '\0';
    }
    return word;
}

/* words: separated by single blanks. env: NULL-terminated. */
static int load(struct run *r, const char *words, char *const *env, bool rest_allowed)
{
    static char copy[1024];
    char *argv[32] = {(char *)(uintptr_t) "tool"};
    int argc = 1;
    char *at = copy;
    memset(r, 0, sizeof *r);
    (void)str_copy(copy, sizeof copy, str_of(words));
    for (char *w = next_word(&at); w != NULL; w = next_word(&at)) {
        argv[argc++] = w;
    }
    return conf_load(&program, argc, argv, env, &r->v, &r->c, &r->outcome,
                     rest_allowed ? &r->rest : NULL, &r->err);
}

static char path[] = "/tmp/test_conf.XXXXXX";

static void write_file(const char *text)
{
    int fd;
    memcpy(path, "/tmp/test_conf.XXXXXX", sizeof path);
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

START_TEST(the_stronger_source_wins)
    {
        static char *const env[] = {(char *)(uintptr_t) "T_PORT=2", (char *)(uintptr_t) "T_PEERS=e",
                                    (char *)(uintptr_t) "T_PORTX=9", NULL};
        struct run r;
        char words[100];
        write_file(
            "# comment\n\nport = 1\ndata-dir = /file\r\ncache=2k\npeers = a, b\npeers = c\n");
        (void)snprintf(words, sizeof words, "--config %s --peers x --peers=y,z --no-tls", path);
        ck_assert_msg(load(&r, words, env, false) == 0, "%s", r.err.text);
        ck_assert_str_eq(r.v.data_dir, "/file");
        ck_assert_uint_eq(r.v.port, 2);
        ck_assert_uint_eq(r.v.cache, 2048);
        ck_assert_str_eq(r.v.level, "info");
        ck_assert(!r.v.tls);
        ck_assert_uint_eq(r.v.timeout, 0);
        ck_assert_uint_eq(r.v.peers.n, 3);
        ck_assert_str_eq(r.v.peers.items[2], "z");
        ck_assert_str_eq(conf_source(r.c, "port"), "environment");
        ck_assert_str_eq(conf_source(r.c, "data-dir"), "file");
        ck_assert_str_eq(conf_source(r.c, "cache"), "file");
        ck_assert_str_eq(conf_source(r.c, "tls"), "command line");
        ck_assert_str_eq(conf_source(r.c, "log-level"), "default");
        ck_assert_str_eq(conf_file(r.c), path);
        conf_close(r.c);
        (void)unlink(path);
    }
END_TEST

START_TEST(words_after_the_options_are_left_to_the_program)
    {
        struct run r;
        ck_assert_int_eq(load(&r, "--data-dir d service list --json", NULL, true), 0);
        ck_assert_int_eq(r.rest, 3);
        conf_close(r.c);
        ck_assert_int_eq(load(&r, "--data-dir d -- --json", NULL, true), 0);
        ck_assert_int_eq(r.rest, 4);
        conf_close(r.c);
        ck_assert_int_eq(load(&r, "--data-dir d word", NULL, false), ERR_INVALID);
        ck_assert_str_eq(r.err.text, "unexpected argument \"word\"");
    }
END_TEST

START_TEST(mistakes_name_the_option_and_the_rule)
    {
        static const struct {
            const char *words;
            const char *want;
        } table[] = {
            {"", "--data-dir is required, or in the environment T_DATA_DIR"},
            {"--data-dir", "--data-dir: the value is missing"},
            {"--data-dri x", "unknown option \"--data-dri\"; did you mean --data-dir?"},
            {"--hlep", "unknown option \"--hlep\"; did you mean --help?"},
            {"--zzzzzz", "unknown option \"--zzzzzz\""},
            {"-x", "unknown option \"-x\"; options begin with --"},
            {"--no-port", "unknown option \"--no-port\""},
            {"--data-dir a --data-dir b", "data-dir: given twice"},
            {"--data-dir a --port x", "--port: \"x\" is not a whole number"},
            {"--data-dir a --port 0", "--port: 0 is out of range: want 1 to 65535"},
            {"--data-dir a --port 70000", "--port: 70000 is out of range: want 1 to 65535"},
            {"--data-dir a --cache 1", "--cache: 1 is out of range: want 1KiB to 1GiB"},
            {"--data-dir a --cache 1x", "--cache: \"1x\" is not a size such as 512, 64k or 10MiB"},
            {"--data-dir a --timeout 5",
             "--timeout: \"5\" is not a duration such as 500ms, 5s, 10m or 2h"},
            {"--data-dir a --tls=maybe", "--tls: \"maybe\" is not true or false"},
            {"--no-tls=true", "--no-tls takes no value"},
            {"--data-dir a --log-level loud",
             "--log-level: \"loud\" is not one of error, warn, info"},
            {"--data-dir a --peers a,,b", "--peers: an empty item in \"a,,b\""},
            {"--config /nonexistent/x", "/nonexistent/x: No such file or directory"},
        };
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            struct run r;
            ck_assert_msg(load(&r, table[i].words, NULL, false) < 0, "%s", table[i].words);
            ck_assert_msg(strncmp(r.err.text, table[i].want, strlen(table[i].want)) == 0, "%s: %s",
                          table[i].words, r.err.text);
            ck_assert_ptr_null(r.v.data_dir); /* Nothing was written. */
        }
    }
END_TEST

START_TEST(mistakes_in_a_file_name_the_line)
    {
        static const struct {
            const char *text;
            const char *want;
        } table[] = {
            {"data-dir = x\nprot = 1\n", ":2: unknown option \"prot\"; did you mean port?"},
            {"data-dir\n", ":1: want name = value"},
            {"data-dir = \"x\n", ":1: the closing quote is missing"},
            {"data-dir = \"x\" y\n", ":1: text after the closing quote"},
            {"data-dir = \"\\n\"\n", ":1: only \\\" and \\\\ are known escapes"},
            {"data-dir = x\n\nport = many\n", ":3: port: \"many\" is not a whole number"},
            {"port = 1\nport = 2\n", ":2: port: given twice"},
        };
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            struct run r;
            char words[100];
            write_file(table[i].text);
            (void)snprintf(words, sizeof words, "--config=%s", path);
            ck_assert_int_lt(load(&r, words, NULL, false), 0);
            ck_assert_msg(strstr(r.err.text, table[i].want) != NULL, "%zu: %s", i, r.err.text);
            (void)unlink(path);
        }
    }
END_TEST

START_TEST(quotes_keep_blanks_and_escapes)
    {
        struct run r;
        char words[100];
        write_file("data-dir = \" a \\\"b\\\" \\\\ # c\"\n");
        (void)snprintf(words, sizeof words, "--config %s", path);
        ck_assert_int_eq(load(&r, words, NULL, false), 0);
        ck_assert_str_eq(r.v.data_dir, " a \"b\" \\ # c");
        conf_close(r.c);
        (void)unlink(path);
    }
END_TEST

START_TEST(help_and_version_need_nothing_else)
    {
        struct run r;
        const char *line;
        ck_assert_int_eq(load(&r, "--version", NULL, false), 0);
        ck_assert_int_eq(r.outcome, CONF_EXIT_OK);
        ck_assert_str_eq(conf_text(r.c), "tool 1.2\n");
        conf_close(r.c);
        ck_assert_int_eq(load(&r, "--help", NULL, false), 0);
        ck_assert_int_eq(r.outcome, CONF_EXIT_OK);
        line = conf_text(r.c);
        ck_assert_ptr_nonnull(strstr(line, "  --data-dir DIR              Where state is kept. "
                                           "Required. (T_DATA_DIR)\n"));
        ck_assert_ptr_nonnull(strstr(line, "warn, info. [info]"));
        for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            ck_assert_int_le(end - line, 79);
        }
        conf_close(r.c);
    }
END_TEST

START_TEST(sizes_and_durations_read_as_people_write_them)
    {
        uint64_t n;
        ck_assert(conf_parse_size(STR("0"), &n) && n == 0);
        ck_assert(conf_parse_size(STR("100B"), &n) && n == 100);
        ck_assert(conf_parse_size(STR("64k"), &n) && n == 65536);
        ck_assert(conf_parse_size(STR("64KiB"), &n) && n == 65536);
        ck_assert(conf_parse_size(STR("2G"), &n) && n == 2147483648u);
        ck_assert(conf_parse_size(STR("16777215t"), &n));
        ck_assert(!conf_parse_size(STR("16777216t"), &n));
        ck_assert(!conf_parse_size(STR(""), &n) && !conf_parse_size(STR("k"), &n));
        ck_assert(!conf_parse_size(STR("1kk"), &n) && !conf_parse_size(STR("-1"), &n));
        ck_assert(conf_parse_duration(STR("1h30m"), &n) && n == 5400000);
        ck_assert(conf_parse_duration(STR("250ms"), &n) && n == 250);
        ck_assert(conf_parse_duration(STR("7d"), &n) && n == 604800000);
        ck_assert(conf_parse_duration(STR("0"), &n) && n == 0);
        ck_assert(!conf_parse_duration(STR("5"), &n) && !conf_parse_duration(STR("s"), &n));
        ck_assert(!conf_parse_duration(STR("5w"), &n) && !conf_parse_duration(STR(""), &n));
        ck_assert(!conf_parse_duration(STR("99999999999999999d"), &n));
    }
END_TEST

START_TEST(suggestions_are_slips_not_guesses)
    {
        static const char *const words[] = {"list", "describe", "delete", "up"};
        ck_assert_str_eq(conf_suggest(STR("lsit"), words, 4), "list");
        ck_assert_str_eq(conf_suggest(STR("descirbe"), words, 4), "describe");
        ck_assert_str_eq(conf_suggest(STR("delet"), words, 4), "delete");
        ck_assert_ptr_null(conf_suggest(STR("frobnicate"), words, 4));
        ck_assert_ptr_null(conf_suggest(STR(""), words, 4));
        ck_assert_ptr_null(conf_suggest(STR("x"), words, 4));
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("conf");
    TEST_CASE(s, "conf", 30, the_stronger_source_wins,
              words_after_the_options_are_left_to_the_program,
              mistakes_name_the_option_and_the_rule, mistakes_in_a_file_name_the_line,
              quotes_keep_blanks_and_escapes, help_and_version_need_nothing_else,
              sizes_and_durations_read_as_people_write_them, suggestions_are_slips_not_guesses);
    return test_run(s);
}
