/* tests/bench/fleet/fleet.h
 *
 * ecs-fleet: thousands of agents in one process, without containers. Each has a certificate and a
 * connection of its own, and speaks the node protocol with the agent's own session and reporting
 * code; only what a container would do is drawn from the seed: how long it takes to start and to
 * stop, whether it fails, when the node falls silent.
 *
 *   agent.c   one agent: what it was told, what it reports
 *   papers.c  certificates
 *   main.c    options, time, figures
 *
 * One thread, one loop. */
#ifndef TESTS_BENCH_FLEET_FLEET_H
#define TESTS_BENCH_FLEET_FLEET_H

#include "agent/core/report.h"
#include "agent/link/session.h"
#include "common/base/buf.h"
#include "common/base/heap.h"
#include "common/base/map.h"
#include "common/base/prng.h"
#include "common/conf/conf.h"
#include "common/loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_AGENTS_MAX      100000
#define FLEET_CONTROLLERS_MAX 16

struct fleet_config {
    struct conf_list controllers;
    const char *ca;
    const char *ca_key;
    const char *cluster;
    const char *json;
    uint64_t agents;
    uint64_t first; /* Number of the first agent, where several fleets share a cluster. */
    uint64_t seed;
    uint64_t cpu;
    uint64_t memory;
    uint64_t zones;
    uint64_t types;
    uint64_t spread_ms; /* The agents appear within this time. */
    uint64_t start_min_ms;
    uint64_t start_max_ms;
    uint64_t stop_ms;
    uint64_t fail_permille;
    uint64_t lifetime_ms; /* Mean, of tasks that end by themselves; 0: none does. */
    uint64_t outage_ms;   /* How long an agent is away. */
    uint64_t outages;     /* An hour, of the whole fleet. */
    uint64_t until_running;
    uint64_t until_agents;
    uint64_t seconds;
};

struct fleet_papers { /* One key for all, a certificate each. */
    char domain[PKI_DOMAIN_MAX];
    struct buf ca;
    struct buf ca_key;
    struct buf key;
    struct buf csr;
};

struct fleet_counts {
    uint64_t up; /* Agents whose stream is welcomed. */
    uint64_t running;
    uint64_t assigned;
    uint64_t stopped;
    uint64_t failed;
    uint64_t reports; /* Messages. */
    uint64_t outages;
};

struct fleet_agent;

struct fleet_task {
    struct id id;
    struct fleet_agent *agent;
    struct report_item report;
    struct heap_node due; /* When the next thing happens to it. */
    int64_t started_at;
    int64_t stopped_at;
    int32_t exit_code;
    uint8_t status; /* enum wire_status */
    bool stopping;
    bool fails;
    bool seen; /* In the full list being received. */
};

struct fleet {
    struct fleet_config config;
    uv_loop_t loop;
    struct fleet_papers papers;
    struct prng prng;
    struct heap due; /* Of tasks. */
    uint64_t now_ms;
    struct list speakers; /* Agents with something to report. */
    struct fleet_agent *agents;
    uint64_t n_started;
    struct fleet_counts counts;
    struct loop_timer *tick;
    struct loop_timer *every_second;
    struct loop_signal *signals;
    uint64_t began_ms;
    uint64_t all_up_ms; /* When it was so for the first time, since the start; 0: not yet. */
    uint64_t all_running_ms;
    bool timed_out;
};

/* --- papers.c -------------------------------------------------------------------------------- */

int fleet_papers_open(struct fleet_papers *p, const struct fleet_config *config, struct err *err);
void fleet_papers_close(struct fleet_papers *p); /* Zeroed is fine. */

/* A client's context with a certificate for this node. */
int fleet_papers_issue(struct fleet_papers *p, struct id node, struct tls_context **ret,
                       struct err *err);

/* --- agent.c --------------------------------------------------------------------------------- */

struct fleet_agent { /* Zeroed until it appears. */
    struct fleet *fleet;
    struct id id;
    uint64_t number;
    struct tls_context *tls;
    struct session *session;
    struct list link; /* In speakers. */
    struct report_queue reports;
    uint32_t n_running;
    uint32_t n_tasks;
    uint32_t cap_tasks;
    struct fleet_task **tasks;
    struct map by_id; /* Numbers of tasks. */
    bool up;
    uint64_t back_ms; /* When an outage ends; 0: there is none. */
};

int fleet_agent_open(struct fleet_agent *a, struct fleet *fleet, uint64_t number, struct err *err);
void fleet_agent_close(struct fleet_agent *a);

/* Its network is away until then. */
void fleet_agent_cut(struct fleet_agent *a, uint64_t until_ms);

/* An outage is over. */
int fleet_agent_return(struct fleet_agent *a, struct err *err);

/* Send what is due, if it may. */
void fleet_agent_speak(struct fleet_agent *a);

/* The task's time has come. */
void fleet_task_due(struct fleet_task *t);

#endif
