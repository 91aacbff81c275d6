/* tests/sim/simagent.h
 *
 * One agent: the real core (reconcile, task, report) in the place that agent/engine has in
 * production, over a simulated journal and a scripted container runtime. The host outlives the
 * process: containers go on while the agent is down. Private to tests/sim. */
#ifndef TESTS_SIM_SIMAGENT_H
#define TESTS_SIM_SIMAGENT_H

#include "agent/core/message.h"
#include "agent/core/reconcile.h"
#include "common/base/list.h"
#include "tests/sim/fleet_impl.h"

#define SIMAGENT_WELCOME_MS 10000u

/* --- journal -------------------------------------------------------------------------------------
 */

struct simrow {        /* One task. */
    struct task saved; /* The fields that are journalled. */
    struct container containers[WIRE_CONTAINERS_MAX];
    uint8_t *spec; /* Encoded, as it came; NULL: dropped. */
    size_t n_spec;
};

struct simop {
    enum action_kind kind;
    struct id task;
    uint64_t epoch;
    uint64_t number;
    struct simrow row;
};

struct simjournal {
    struct simrow *rows; /* Ordered by id. */
    size_t n;
    size_t cap;
    uint64_t epoch;
    uint64_t session;
};

/* --- runtime -------------------------------------------------------------------------------------
 */

struct simcontainer { /* On the host. */
    struct id task;
    uint32_t container;
    enum exec_state state;
    bool batch;
    uint64_t life; /* Of this container, for its events. */
    uint64_t started_at_ms;
    struct exec_exit exit;
};

/* --- shell ---------------------------------------------------------------------------------------
 */

struct simact {
    struct action action;
    uint8_t *bytes; /* Or an encoded message to send. */
    size_t n_bytes;
    uint64_t welcome;
};

struct simbatch {
    struct simop *ops;
    size_t n_ops;
    size_t cap_ops;
    struct simact *acts;
    size_t n_acts;
    size_t cap_acts;
};

struct simagent {
    struct fleet *f;
    unsigned at;
    struct id id;       /* Of the node. */
    unsigned n_ids;     /* Joined so often. */
    uint64_t life;      /* Of the process. */
    uint64_t host_life; /* Of the machine. */
    int64_t wall_offset_ms;
    bool refused; /* Its node was deregistered: it joins again under a new id. */

    struct simjournal journal;
    struct simcontainer *containers;
    size_t n_containers;
    size_t cap_containers;
    uint64_t n_lives;

    bool up;
    uint64_t paused_until_us;
    struct reconcile *r;
    struct actions actions;
    struct simbatch batches[2];
    struct simbatch *filling;
    struct simbatch *committing;
    bool soon;
    uint64_t tick; /* Counts wishes. */
    unsigned depth;

    /* Session. */
    struct simstream *stream;
    bool session_up;
    uint64_t attempt; /* Counts streams. */
    uint64_t welcomes;
    uint32_t heartbeat_ms; /* As the controller wants it. */
    uint32_t lease_ms;
    uint64_t hello_sent_ms;
    uint64_t heard_ms;
    uint64_t heartbeat;
    uint64_t heartbeats[64];
    unsigned next; /* Controller to ask. */
    int leader;    /* Where a follower pointed, or -1. */
    unsigned n_redirects;
    uint64_t backoff_ms;
};

/* Is the process paused? Then the call comes again when it goes on. */
bool simagent_holds(struct simagent *a, simworld_call call, void *arg, uint64_t x, uint64_t y);
struct moment simagent_now(const struct simagent *a);
int simagent_feed(struct simagent *a, struct event *event);

/* simsession.c */
void simagent_dial(struct simagent *a, uint64_t after_ms);
void simagent_send(struct simagent *a, const struct agent_message *m);
void simagent_send_bytes(struct simagent *a, const uint8_t *bytes, size_t n);
void simagent_add_reports(struct simagent *a);
void simagent_hang_up(struct simagent *a);

/* simruntime.c */
void simruntime_act(struct simagent *a, const struct action *action);
size_t simruntime_inventory(struct simagent *a, struct exec_container **ret);
void simruntime_reboot(struct simagent *a);
const char *simruntime_name(uint32_t container);

/* simjournal.c */
void simjournal_remember(struct simagent *a, struct simbatch *b, const struct action *action);
void simjournal_commit(struct simagent *a, const struct simbatch *b);
void simjournal_restore(struct simagent *a);
void simjournal_clear(struct simagent *a);
void simjournal_forget(struct simagent *a, struct simbatch *b); /* Its changes. */

#endif
