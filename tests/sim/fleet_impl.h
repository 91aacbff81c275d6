/* tests/sim/fleet_impl.h
 *
 * Shared by fleet.c (faults, phases), fleet_end.c (what must hold in the end), simctl.c and
 * simlink.c (controllers), simagent.c and its parts, simclient.c, simmodel.c. Includes neither
 * core: those of controllers include simctl.h, those of agents simagent.h. */
#ifndef TESTS_SIM_FLEET_IMPL_H
#define TESTS_SIM_FLEET_IMPL_H

#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/prng.h"
#include "tests/lib/history.h"
#include "tests/sim/fleet.h"
#include "tests/sim/simwire.h"

struct codec;     /* controller/codec/object.h */
struct simctl;    /* simctl.h */
struct simagent;  /* simagent.h */
struct simclient; /* simclient.h */
struct simmodel;  /* simmodel.h */

struct fleet {
    struct fleet_options opt;
    struct simworld *world;
    struct simapp app;
    const struct mem *mem;
    struct prng prng; /* For everything but the controllers' own faults. */
    struct fleet_stats stats;
    struct simctl *controllers[SIMWORLD_NODES_MAX];
    struct simagent *agents[FLEET_AGENTS_MAX];
    struct simclient *clients[FLEET_CLIENTS_MAX];
    struct simmodel *model;
    struct codec *codec;
    bool closing;
    bool cut[FLEET_AGENTS_MAX][SIMWORLD_NODES_MAX][2]; /* By simstream_side that is cut off. */
    uint64_t dark_until_us[SIMWORLD_NODES_MAX];        /* Controllers in a blackout. */
    int64_t heard_ms; /* When a leader last heard a node, in the state's time. */
    struct hist hist; /* Of what all clients do to one service and one family, for lincheck.h. */
    bool shared;      /* These exist. */
    unsigned round;   /* Of faults and calm; part of the family's name. */
    unsigned epoch;   /* Counts phases: random events of an earlier one are stale. */
};

#define fleet_fail(f, ...)  simworld_fail((f)->world, __VA_ARGS__)
#define fleet_trace(f, ...) simworld_trace((f)->world, __VA_ARGS__)

bool fleet_is_cut(const struct fleet *f, unsigned agent, unsigned node, enum simstream_side to);
uint64_t fleet_delay_us(struct fleet *f);
bool fleet_chance(struct fleet *f, unsigned ppm); /* Never when calm. */
uint64_t fleet_between(struct fleet *f, uint64_t min, uint64_t max);

/* The process of an agent ended: start it again after a while. */
void fleet_restart_agent(struct fleet *f, unsigned at);

/* fleet_end.c: can all answers be explained? Begins the history of the next round. */
void fleet_check_history(struct fleet *f);

/* fleet_end.c: true when everything agrees; otherwise why (static text) is set. */
bool fleet_settled(struct fleet *f, char why[256]);
void fleet_compare(struct fleet *f);
void fleet_dump(struct fleet *f); /* What has not settled, for people. */

/* --- controllers -------------------------------------------------------------------------------
 */
struct simctl *simctl_new(struct fleet *f, unsigned node);
void simctl_free(struct simctl *c);
/* Read there, now: what was acknowledged before must be in it (I14). */
void simctl_probe(struct simctl *c);
void simctl_app(struct fleet *f); /* Fills f->app. */

/* --- agents ------------------------------------------------------------------------------------
 */
struct simagent *simagent_new(struct fleet *f, unsigned at);
void simagent_free(struct simagent *a);
void simagent_boot(struct simagent *a);
void simagent_crash(struct simagent *a, bool host);
uint64_t simagent_session(const struct simagent *a); /* The highest it has in its journal. */
void simagent_pause(struct simagent *a, uint64_t ms);
bool simagent_is_paused(const struct simagent *a);
bool simagent_is_up(const struct simagent *a);
void simagent_step_clock(struct simagent *a, int64_t ms);
struct id simagent_id(const struct simagent *a);
/* Does the node run exactly these tasks, and nothing else? n_ids are RUNNING in the state. */
bool simagent_runs_exactly(const struct simagent *a, const struct id *ids, uint32_t n,
                           char why[256]);
/* I18: is nothing left on the host, and in the journal, of tasks that are over? */
bool simagent_is_clean(const struct simagent *a, char why[256]);
/* Where it is with a task, for people. */
void simagent_describe(const struct simagent *a, struct id task, char ret[256]);

/* A container is about to be created: I7 and I8 are checked (simmodel.c). */
void simmodel_created(struct fleet *f, unsigned agent, struct id node, struct id task,
                      uint32_t container);

/* An agent is told to run a task: I12 is checked (simmodel.c). */
void simmodel_told(struct fleet *f, unsigned agent, struct id node, struct id task,
                   struct str spec);

/* --- clients -----------------------------------------------------------------------------------
 */
struct simclient *simclient_new(struct fleet *f, unsigned at);
void simclient_free(struct simclient *c);
bool simclient_is_idle(const struct simclient *c);
void simclient_pause(struct simclient *c, bool pause);
void simclient_compare(struct simclient *c);

#endif
