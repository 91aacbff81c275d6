/* agent/engine/engine_impl.h
 *
 * Shared by the files of engine.h, for nobody else. */
#ifndef AGENT_ENGINE_ENGINE_IMPL_H
#define AGENT_ENGINE_ENGINE_IMPL_H

#include "agent/engine/engine.h"
#include "agent/health/prober.h"
#include "agent/link/logs.h"
#include "agent/metrics/machine.h"
#include "common/base/arena.h"
#include "common/base/list.h"

#define CENSUS_STRAYS_MAX 64 /* Watched at a time. */

struct act {                       /* What is to be done once the batch it belongs to is durable. */
    struct action action;          /* Of the core, unless reports is set. */
    const struct reports *reports; /* To be sent; in the batch's arena. */
    uint64_t welcome; /* Acknowledgements and reports are for the stream of their time. */
};

struct batch { /* Changes to the journal, and the acts that wait for them. */
    struct journal_batch journal;
    struct act *acts;
    size_t n_acts;
    size_t cap_acts;
    struct arena arena; /* Reports. */
};

struct stray { /* A task with processes here of which this agent knows nothing. */
    struct id task;
    uint64_t since_ms;
};

/* Whose processes are on this machine, counted now and then. */
struct census {
    struct exec_census request;
    bool counting;
    uint64_t began_ms; /* The last one, on CLOCK_BOOTTIME; 0: never. */
    bool fresh;        /* Its answer was not sent yet: */
    struct arena arena;
    const struct id *held;
    uint32_t n_held;
    struct stray strays[CENSUS_STRAYS_MAX];
    uint32_t n_strays;
    struct exec_remove remove; /* Of one of them. */
    bool removing;
};

struct engine {
    uv_loop_t *loop;
    struct engine_options options;
    struct reconcile *r;
    struct actions actions; /* Of the step being taken. */
    struct batch batches[2];
    struct batch *filling;
    struct batch *committing; /* By the worker, or waiting to be tried again; else NULL. */
    uv_work_t work;
    bool working;
    int status; /* Of the commit. */
    struct err err;
    struct loop_soon *soon;
    struct loop_timer *tick;
    struct loop_timer *retry;
    struct executor *executor;
    struct prober *prober;
    struct logs *logs;
    struct session *session;
    uint64_t welcomes; /* Counts streams. */
    struct machine_usage usage;
    struct list requests; /* Under way in the executor. */
    struct exec_inventory inventory;
    struct census census;
    bool stopping;
    loop_cb stopped;
    void *stopped_data;
    loop_cb on_session;
    void *on_session_data;
    uint64_t n_events;
    uint64_t n_commits;
};

/* Take in one event; time is filled in. What follows happens from the loop. The core's answer. */
int engine_feed(struct engine *e, struct event *event);

/* Carry out one act, now. */
void engine_act(struct engine *e, const struct act *act);

/* An act for the batch being filled. */
struct act *engine_add_act(struct engine *e);

/* Begin to look for a controller. */
int engine_connect(struct engine *e, struct err *err);

/* Begin a census when one is due, and put into the heartbeat what the last one found. */
void engine_census(struct engine *e, struct heartbeat *ret);

/* Put the reports that are due into the batch being filled. */
void engine_add_reports(struct engine *e);

#endif
