/* tests/lib/report.h
 *
 * What a benchmark found, as a table for people and as JSON for machines: one row per case and
 * metric, with every sample that was added to it. Used by the programs under tests/bench. */
#ifndef TESTS_LIB_REPORT_H
#define TESTS_LIB_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#define REPORT_ROWS_MAX    64
#define REPORT_SAMPLES_MAX 64

struct report_row { /* Private. */
    char name[64];
    char metric[48];
    const char *unit;
    double v[REPORT_SAMPLES_MAX];
    unsigned n;
    double peer; /* Of another product in the same run; 0: none. */
};

struct report {
    const char *name; /* Of the program. */
    bool quick;       /* --quick: a shorter run was asked for. */
    /* Private. */
    FILE *json;
    struct report_row rows[REPORT_ROWS_MAX];
    unsigned n_rows;
};

/* Read [--quick] [--json FILE]; anything else ends the program with how to use it. */
void report_open(struct report *r, const char *name, int argc, char **argv);

/* One more sample; name and metric are copied, unit is borrowed. */
void report_add(struct report *r, const char *name, const char *metric, const char *unit,
                double value);

/* The same figure of the peer, for a row that is there. */
void report_peer(struct report *r, const char *name, const char *metric, double value);

/* Print the table, write and close the JSON file. */
void report_close(struct report *r);

#endif
