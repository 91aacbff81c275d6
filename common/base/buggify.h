/* common/base/buggify.h
 *
 * Turns that the code may take and seldom does: smaller batches, earlier wakes, work put off. In
 * builds for the simulator (SIM=1) each run takes some of them, now and then, as its seed says; in
 * all others BUGGIFY() is 0 and nothing of it is left. Every one must be right at any time, and
 * must not be in code that the replicas have to run alike. Pure. */
#ifndef COMMON_BASE_BUGGIFY_H
#define COMMON_BASE_BUGGIFY_H

#include <stdbool.h>

#define BUGGIFY_TABLE(X)                                                \
    X(BUF_TIGHT, "a buffer grows by what is needed only")               \
    X(ARENA_SMALL, "an arena takes a block for one allocation")         \
    X(MAP_GROWS, "a map grows before it is full")                       \
    X(RING_ONE_WRITE, "a batch ends after this write")                  \
    X(RING_NO_PASS, "the leader makes no plans this turn")              \
    X(RING_SPLIT, "a batch is cut in two")                              \
    X(RING_NOT_NOW, "the log takes nothing now")                        \
    X(RING_DIGEST, "the digest is published early")                     \
    X(LEADER_FEW, "a pass may plan one thing only")                     \
    X(LEADER_LATER, "a service is looked at later")                     \
    X(LEADER_GC_LATER, "old rows go later")                             \
    X(LEADER_NODE_LATER, "a silent node is given up later")             \
    X(LEADER_NO_ROOM, "RunTask finds no room")                          \
    X(DISPATCH_ONE_TASK, "an assignment message has one task")          \
    X(DISPATCH_ONE_FORGET, "and one task to forget")                    \
    X(DISPATCH_ONE_REPORT, "a command has the reports of one node")     \
    X(DISPATCH_NARROW, "one assignment message at a time")              \
    X(APPEND_ONE, "an append message ends after this entry")            \
    X(APPLY_ONE, "one entry is applied, the others next time")          \
    X(READ_AGAIN, "the voters are asked twice for a read")              \
    X(AGENT_TICK, "an agent looks at its tasks before anything is due") \
    X(AGENT_ONE_REPORT, "a report has one task")                        \
    X(AGENT_SAVE, "an unchanged task is written to the journal")        \
    X(AGENT_NO_LEASE, "an agent takes its lease for over, this once")   \
    X(AGENT_REMOVE_LATER, "what a task left is removed later")          \
    X(AGENT_ORPHAN_LATER, "a container nobody knows is removed later")  \
    X(RING_BUILDS_SLOWLY, "a new leader looks at one task in a turn")

enum buggify {
#define BUGGIFY_ENUM(name, text) BUGGIFY_##name,
    BUGGIFY_TABLE(BUGGIFY_ENUM)
#undef BUGGIFY_ENUM
        BUGGIFY_N
};

#ifdef SIMULATION
bool buggify(enum buggify point); /* tests/sim/buggify.c */
#define BUGGIFY(name) buggify(BUGGIFY_##name)
#else
#define BUGGIFY(name) 0
#endif

#endif
