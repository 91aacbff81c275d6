#include "tests/lib/report.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

void report_open(struct report *r, const char *name, int argc, char **argv)
{
    memset(r, 0, sizeof *r);
    r->name = name;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            r->quick = true;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            r->json = fopen(argv[++i], "w");
            if (r->json == NULL) {
                fprintf(stderr, "%s: %s: %s\n", name, argv[i], strerror(errno));
                exit(2);
            }
        } else {
            fprintf(stderr, "usage: %s [--quick] [--json FILE]\n", name);
            exit(2);
        }
    }
}

static struct report_row *find(struct report *r, const char *name, const char *metric)
{
    for (unsigned i = 0; i < r->n_rows; i++) {
        if (strcmp(r->rows[i].name, name) == 0 && strcmp(r->rows[i].metric, metric) == 0) {
            return &r->rows[i];
        }
    }
    return NULL;
}

void report_add(struct report *r, const char *name, const char *metric, const char *unit,
                double value)
{
    struct report_row *row = find(r, name, metric);
    if (row == NULL) {
        assert(r->n_rows < REPORT_ROWS_MAX);
        row = &r->rows[r->n_rows++];
        (void)snprintf(row->name, sizeof row->name, "%s", name);
        (void)snprintf(row->metric, sizeof row->metric, "%s", metric);
        row->unit = unit;
    }
    assert(row->n < REPORT_SAMPLES_MAX);
    row->v[row->n++] = value;
}

void report_peer(struct report *r, const char *name, const char *metric, double value)
{
    struct report_row *row = find(r, name, metric);
    assert(row != NULL);
    row->peer = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void write_json(const struct report *r)
{
    struct utsname machine;
    double load = 0;
    const char *commit = getenv("ECS_COMMIT");
    (void)uname(&machine);
    (void)getloadavg(&load, 1);
    fprintf(r->json,
            "{\"name\":\"%s\",\"commit\":\"%s\",\"machine\":\"%s %s\",\"load\":%.2f,\"rows\":[",
            r->name, commit == NULL ? "" : commit, machine.sysname, machine.machine, load);
    for (unsigned i = 0; i < r->n_rows; i++) {
        const struct report_row *row = &r->rows[i];
        double median = row->v[row->n / 2];
        fprintf(r->json,
                "%s{\"case\":\"%s\",\"metric\":\"%s\",\"unit\":\"%s\",\"median\":%.3f,"
                "\"min\":%.3f,\"max\":%.3f",
                i == 0 ? "" : ",", row->name, row->metric, row->unit, median, row->v[0],
                row->v[row->n - 1]);
        if (row->peer > 0) {
            fprintf(r->json, ",\"peer\":%.3f,\"ratio\":%.3f", row->peer, median / row->peer);
        }
        fputc('}', r->json);
    }
    fprintf(r->json, "]}\n");
    fclose(r->json);
}

void report_close(struct report *r)
{
    printf("%-40s %-28s %-10s %12s %12s %12s %12s\n", "case", "metric", "unit", "median", "min",
           "max", "peer");
    for (unsigned i = 0; i < r->n_rows; i++) {
        struct report_row *row = &r->rows[i];
        qsort(row->v, row->n, sizeof row->v[0], compare);
        printf("%-40s %-28s %-10s %12.2f %12.2f %12.2f ", row->name, row->metric, row->unit,
               row->v[row->n / 2], row->v[0], row->v[row->n - 1]);
        if (row->peer > 0) {
            printf("%12.2f\n", row->peer);
        } else {
            printf("%12s\n", "-");
        }
    }
    if (r->json != NULL) {
        write_json(r);
    }
}
