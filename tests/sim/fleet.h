/* tests/sim/fleet.h
 *
 * The whole system in one thread: controllers (real replica, log files, codec, ring, store, leader,
 * dispatcher) over simulated disks and network, agents (real agent core) over a scripted runtime
 * and a simulated journal, and clients that retry with tokens. One seed decides everything.
 *
 * A run is: faults, heal, a deadline by which everything must have settled, then a comparison of
 * everything with everything. What is checked is listed in simmodel.c, simagent.c, simclient.c and
 * fleet_end.c, each with the invariant it stands for. A violation prints seed, time and what
 * happened, and ends the process. */
#ifndef TESTS_SIM_FLEET_H
#define TESTS_SIM_FLEET_H

#include "tests/sim/simworld.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_AGENTS_MAX  16u
#define FLEET_CLIENTS_MAX 8u

struct fleet; /* Opaque. */

struct fleet_options { /* Rates are per million, means in milliseconds; 0: never. */
    struct simworld_options world;
    unsigned life_ms; /* 0: as long as others; long enough for old rows to go. */
    unsigned n_agents;
    unsigned n_clients;
    unsigned op_ms;        /* Mean pause between the operations of one client. */
    unsigned link_loss;    /* Messages of streams and requests that take another 200 ms, or fail. */
    unsigned agent_cut_ms; /* Cuts between one agent and one controller, or all. */
    unsigned agent_crash_ms; /* Of any agent. */
    unsigned journal_crash;  /* Commits during or after which the agent dies. */
    unsigned journal_full;   /* Commits that find the disk full. */
    unsigned agent_pause_ms; /* Of any agent: its process stands still for up to a minute. */
    unsigned blackout_ms;    /* Of any controller: it hears no agent for up to two minutes. */
    unsigned loss_percent;   /* As --node-loss-percent. */
    unsigned reboot_ms;      /* Of any host: containers are gone. */
    unsigned pull_slow;
    unsigned pull_fail;
    unsigned start_fail;
    unsigned start_fail_late; /* After having created. */
    unsigned stop_ignored;
    unsigned remove_fail;
    unsigned exits;         /* Containers that end by themselves though they should not. */
    unsigned stale;         /* Welcomes as of a control plane from before a restore. */
    unsigned garbled;       /* Messages of streams that arrive cut short or damaged. */
    unsigned agent_step_ms; /* Steps of an agent's wall clock. */
};

struct fleet_stats {
    uint64_t commands, entries, acked, refused, unknown, timeouts, reads, reads_eventual;
    uint64_t registered, services, updates, deletes, runs, stops, drains, deregistered;
    uint64_t duplicates; /* Requests that were answered from their token. */
    uint64_t tasks, tasks_run, preempted, containers, exits, pulls_failed, starts_failed,
        late_failures;
    uint64_t ignored_kills, removes_failed, orphans;
    uint64_t agent_crashes, journal_crashes, journal_full, reboots, sessions, cuts, agent_steps;
    uint64_t garbled, stale, rejected, own_exits, agent_pauses, blackouts, guarded, lost_nodes,
        store_checks, settled_ms, history, probes;
};

/* Draw shape and faults from the seed: each run has some of them. */
struct fleet_options fleet_draw(uint64_t seed);

/* The same for a life of hours. */
void fleet_draw_long(struct fleet_options *o);

struct fleet *fleet_open(const struct fleet_options *options);
void fleet_close(struct fleet *f); /* Also checks that no memory is left. */

/* Let time pass with faults; where these stop nearly everything, up to four times as much. */
void fleet_run(struct fleet *f, uint64_t ms);

/* Heal, wait, compare. With again, the faults return afterwards. */
void fleet_settle(struct fleet *f, bool again);

/* Did enough happen for the run to mean something? */
bool fleet_is_busy(const struct fleet *f);

/* Fails if not. */
void fleet_check_busy(struct fleet *f);

const struct fleet_stats *fleet_stats(const struct fleet *f);
const struct simworld *fleet_world(const struct fleet *f);

#endif
