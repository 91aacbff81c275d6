#include "tests/load/load.h"

#include "common/loop/sysmem.h"
#include "tests/lib/lincheck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KILLS_MAX  1000
#define WINDOW_US  20000000
#define TEXT_BYTES (1u << 20)

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* --- after a kill -------------------------------------------------------------------------------
 */

static bool is_write(const struct hist_op *op)
{
    return op->kind % 2 == 0;
}

/* From the kill to the first acknowledgement of a write that was sent after it: none of those can
 * have been given by the dead leader. 0 when there was none before window_end. */
static uint64_t silence_after(const struct hist *h, uint64_t kill, uint64_t window_end)
{
    uint64_t first = window_end;
    for (size_t i = 0; i < h->n_ops; i++) {
        const struct hist_op *op = &h->ops[i];
        if (op->outcome == HIST_OK && is_write(op) && op->invoke >= kill && op->ret < first) {
            first = op->ret;
        }
    }
    return first == window_end ? 0 : first - kill;
}

static size_t read_kills(const char *path, uint64_t *kills)
{
    char line[64];
    size_t n = 0;
    FILE *f = path == NULL ? NULL : fopen(path, "r");
    if (f == NULL) {
        return 0;
    }
    while (n < KILLS_MAX && fgets(line, sizeof line, f) != NULL) {
        kills[n++] = strtoull(line, NULL, 10);
    }
    (void)fclose(f);
    return n;
}

struct silences {
    uint64_t us[KILLS_MAX]; /* Sorted. */
    size_t n;
    size_t n_never; /* No write was acknowledged before the next kill. */
};

static void measure_silences(const struct load *l, struct silences *ret)
{
    static uint64_t kills[KILLS_MAX];
    size_t n = read_kills(l->config.kills, kills);
    for (size_t i = 0; i < n; i++) {
        uint64_t window_end = i + 1 < n ? kills[i + 1] : kills[i] + WINDOW_US;
        uint64_t silence = silence_after(&l->hist, kills[i], window_end);
        if (silence == 0) {
            ret->n_never++;
        } else {
            ret->us[ret->n++] = silence;
        }
    }
    qsort(ret->us, ret->n, sizeof ret->us[0], by_number);
}

static uint64_t percentile(const struct silences *s, unsigned percent)
{
    return s->n == 0 ? 0 : s->us[(s->n - 1) * percent / 100];
}

/* --- counts -------------------------------------------------------------------------------------
 */

struct counts {
    size_t n[HIST_KIND_N][3];
    size_t ok;
    size_t unknown;
    size_t fail;
    uint64_t latency_p50;
    uint64_t latency_p99;
    double writes_per_s; /* Acknowledged, from the first one sent to the last answer. */
    double reads_per_s;
};

static void count(const struct hist *h, struct counts *ret)
{
    uint64_t *took = mem_alloc(sysmem(), (h->n_ops + 1) * sizeof *took);
    uint64_t first = UINT64_MAX, last = 0;
    size_t n = 0, n_reads = 0;
    for (size_t i = 0; i < h->n_ops; i++) {
        const struct hist_op *op = &h->ops[i];
        ret->n[op->kind][op->outcome]++;
        ret->ok += op->outcome == HIST_OK;
        ret->unknown += op->outcome == HIST_UNKNOWN;
        ret->fail += op->outcome == HIST_FAIL;
        if (op->outcome == HIST_OK) {
            first = op->invoke < first ? op->invoke : first;
            last = op->ret > last ? op->ret : last;
            n_reads += !is_write(op);
        }
        if (op->outcome == HIST_OK && is_write(op)) {
            took[n++] = op->ret - op->invoke;
        }
    }
    qsort(took, n, sizeof *took, by_number);
    ret->latency_p50 = n == 0 ? 0 : took[n / 2];
    ret->latency_p99 = n == 0 ? 0 : took[n * 99 / 100];
    if (last > first) {
        ret->writes_per_s = (double)n * 1e6 / (double)(last - first);
        ret->reads_per_s = (double)n_reads * 1e6 / (double)(last - first);
    }
    mem_free(sysmem(), took, (h->n_ops + 1) * sizeof *took);
}

static void print_counts(const struct load *l, const struct counts *c)
{
    (void)printf("%-16s %8s %8s %8s\n", "operation", "ok", "refused", "unknown");
    for (int k = 0; k < HIST_KIND_N; k++) {
        if (c->n[k][HIST_OK] + c->n[k][HIST_FAIL] + c->n[k][HIST_UNKNOWN] > 0) {
            (void)printf("%-16s %8zu %8zu %8zu\n", hist_kind_name((enum hist_kind)k),
                         c->n[k][HIST_OK], c->n[k][HIST_FAIL], c->n[k][HIST_UNKNOWN]);
        }
    }
    (void)printf("answers:");
    for (int code = 0; code < 17; code++) {
        if (l->codes[code] > 0) {
            (void)printf(" %s %llu", grpc_code_name((enum grpc_code)code),
                         (unsigned long long)l->codes[code]);
        }
    }
    (void)printf("; %llu changes of controller\n", (unsigned long long)l->n_switches);
    (void)printf(
        "acknowledged writes took p50 %.2f ms, p99 %.2f ms; %.0f writes, %.0f reads a second\n",
        (double)c->latency_p50 / 1000, (double)c->latency_p99 / 1000, c->writes_per_s,
        c->reads_per_s);
}

static void write_json(const struct load *l, const struct counts *c, const struct silences *s,
                       const char *verdict)
{
    FILE *f = l->config.json == NULL ? NULL : fopen(l->config.json, "w");
    if (f == NULL) {
        return;
    }
    (void)fprintf(f,
                  "{\"ok\":%zu,\"refused\":%zu,\"unknown\":%zu,\"unread\":%u,\"verdict\":\"%s\","
                  "\"write_p50_ms\":%.3f,\"write_p99_ms\":%.3f,\"writes_per_s\":%.1f,"
                  "\"reads_per_s\":%.1f,\"kills\":%zu,\"never\":%zu,"
                  "\"silence_min_ms\":%.3f,\"silence_p50_ms\":%.3f,\"silence_p99_ms\":%.3f,"
                  "\"silence_max_ms\":%.3f}\n",
                  c->ok, c->fail, c->unknown, l->n_unread, verdict, (double)c->latency_p50 / 1000,
                  (double)c->latency_p99 / 1000, c->writes_per_s, c->reads_per_s, s->n + s->n_never,
                  s->n_never, (double)percentile(s, 0) / 1000, (double)percentile(s, 50) / 1000,
                  (double)percentile(s, 99) / 1000, (double)percentile(s, 100) / 1000);
    (void)fclose(f);
}

/* --- verdict ------------------------------------------------------------------------------------
 */

static const char *const verdicts[] = {"linearizable", "too big", "VIOLATION"};

static enum lin_verdict judge(const struct hist *h, uint64_t ops_max)
{
    struct lin_limits limits = {.ops_max = (uint32_t)ops_max};
    enum lin_verdict verdict;
    struct buf text;
    buf_init(&text, sysmem(), TEXT_BYTES);
    verdict = lincheck(h, &limits, &text);
    (void)printf("%shistory of %zu operations on %u keys: %s\n", buf_cstr(&text), h->n_ops,
                 hist_n_keys(h), verdicts[verdict]);
    buf_close(&text);
    return verdict;
}

int load_check_file(const char *path, uint64_t ops_max)
{
    struct hist h;
    struct err err = {0};
    int status = 2;
    hist_init(&h, sysmem());
    if (hist_load(&h, path, &err) == 0) {
        status = judge(&h, ops_max) == LIN_OK ? 0 : 1;
    } else {
        (void)fprintf(stderr, "ecs-load: %s\n", err.text);
    }
    hist_close(&h);
    return status;
}

int load_report(struct load *l)
{
    struct counts c = {0};
    static struct silences s;
    struct err err = {0};
    enum lin_verdict verdict;
    if (l->config.history != NULL && hist_save(&l->hist, l->config.history, &err) != 0) {
        (void)fprintf(stderr, "ecs-load: %s\n", err.text);
        return 2;
    }
    count(&l->hist, &c);
    measure_silences(l, &s);
    print_counts(l, &c);
    if (s.n + s.n_never > 0) {
        (void)printf("%zu kills: next acknowledged write after p50 %.0f ms, p99 %.0f ms, "
                     "max %.0f ms; never: %zu\n",
                     s.n + s.n_never, (double)percentile(&s, 50) / 1000,
                     (double)percentile(&s, 99) / 1000, (double)percentile(&s, 100) / 1000,
                     s.n_never);
    }
    if (l->n_unread > 0) {
        (void)printf("%u keys could not be read back\n", l->n_unread);
    }
    verdict = judge(&l->hist, l->config.ops_max);
    write_json(l, &c, &s, verdicts[verdict]);
    if (c.ok < l->config.workers) {
        (void)printf("hardly anything was acknowledged: the run proves nothing\n");
        return 1;
    }
    return verdict == LIN_OK && l->n_unread == 0 ? 0 : 1;
}
