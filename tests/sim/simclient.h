/* tests/sim/simclient.h
 *
 * Clients: each does one operation at a time, through whichever controller answers, and sends it
 * again (with the same token, where the operation has one) until it has an answer. Commands are
 * those that the API makes. Private to tests/sim. */
#ifndef TESTS_SIM_SIMCLIENT_H
#define TESTS_SIM_SIMCLIENT_H

#include "tests/sim/simctl.h"

#define CLIENT_SERVICES  2u
#define CLIENT_TASKS     8u
#define CLIENT_TRY_MS    4000u
#define CLIENT_ANSWER_MS 30000u /* I20, once there are no faults any more. */

enum client_op {
    OP_NONE,
    OP_SETUP_CLUSTER,
    OP_REGISTER,
    OP_DEREGISTER,
    OP_SERVICE_CREATE,
    OP_SERVICE_UPDATE,
    OP_SERVICE_DELETE,
    OP_SERVICE_READ,
    OP_RUN,
    OP_TASK_STOP,
    OP_TASK_READ,
    OP_NODE_STATE,
    OP_NODE_DEREGISTER,
    OP_KINDS,
};

struct client_service { /* Owned by one client, so what it must be is known. */
    bool exists;        /* Acknowledged as created and not as deleted. */
    unsigned n;         /* Counts creations: part of its name. */
    uint32_t desired;
    bool sure; /* No older attempt may come after the latest answer. */
};

struct client_task {
    struct id id;
    bool stop_acked;
};

struct op { /* What is being asked; copied into every attempt. */
    enum client_op kind;
    uint64_t number;
    unsigned service; /* Position. */
    uint32_t count;   /* Desired, or tasks. */
    char name[24];
    char token[24];
    struct id id;
    uint8_t status;
    bool eventual;
    bool shared; /* About what belongs to all clients: judged by lincheck.h. */
};

struct simanswer {
    int status; /* 0: the rest counts. */
    uint8_t reject;
    bool duplicate;
    uint64_t revision; /* Of the store. */
    uint32_t number;   /* Revision of the definition, desired count, tasks. */
    uint64_t created_at;
    uint8_t task_status;
    uint8_t task_desired;
    bool found;
    uint32_t n_ids;
    struct id ids[4];
};

struct simclient {
    struct fleet *f;
    unsigned at;
    struct prng prng;
    struct op op; /* OP_NONE: thinking. */
    uint64_t n_ops;
    unsigned tries;
    int last;      /* What the latest one came to. */
    unsigned node; /* Whom it asks. */
    uint64_t since_us;
    bool paused;
    bool have_cluster;
    unsigned n_tidied;    /* Nodes that were made ACTIVE in the calm. */
    unsigned n_live;      /* Attempts that may still have an effect. */
    bool shared_family;   /* Made the one that all share. */
    bool deregistered;    /* Its newest definition. */
    uint32_t family_last; /* Latest revision it was given. */
    struct client_service services[CLIENT_SERVICES];
    struct client_task tasks[CLIENT_TASKS];
    unsigned n_tasks;
};

struct attempt { /* One try, on one controller. */
    struct simclient *client;
    struct simctl *c;
    struct op op;
    uint64_t acked_before; /* Highest revision acknowledged to anybody before it. */
    struct ring_write write;
    struct ring_read read;
    struct run_decision decision;
    struct simanswer answer;
    size_t hist; /* Operation in the history, plus one; 0: none. */
    unsigned round;
};

/* simrequest.c: carry out an attempt on its controller; simclient_answered() follows, once. */
void simrequest_start(struct attempt *a);
void simclient_answered(struct attempt *a);

#endif
