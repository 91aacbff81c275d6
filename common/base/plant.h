/* common/base/plant.h
 *
 * Faults put into the code on purpose, so that the checks of the simulator can be seen to find
 * them (tests/sim/plants.sh). They exist only in builds for the simulator (SIM=1: -DSIMULATION),
 * where ecs-sim --plant N chooses one, and in builds with -DPLANT=N, which have that one; in all
 * others PLANTED() is 0 and nothing of them is left. Pure. */
#ifndef COMMON_BASE_PLANT_H
#define COMMON_BASE_PLANT_H

/* Numbers are those of ecs-sim --plant and -DPLANT: new ones go to the end. */
#define PLANT_TABLE(X)                                                                   \
    X(VOTE_NOT_SAVED, "term and vote are not written to the disk")                       \
    X(VOTE_UNSYNCED, "term and vote are written and not synced")                         \
    X(NO_FSYNC, "the log is written and not synced")                                     \
    X(NO_DIR_SYNC, "a new log file's name is not synced")                                \
    X(NO_TRUNCATION, "entries that replace others are written behind them")              \
    X(TORN_TAIL, "records of the log are read without looking at their checksum")        \
    X(TAIL_FORGIVEN, "damage before the end of the log passes for a torn tail")          \
    X(EARLY_ACK, "entries count as durable before they are")                             \
    X(APPLY_EARLY, "entries are applied before they are durable here")                   \
    X(ENTRY_TERM, "entries are sent with the leader's term instead of their own")        \
    X(READ_UNASKED, "a leader reads without asking a majority")                          \
    X(NO_BARRIER, "a leader acts before its first entry is applied")                     \
    X(SNAPSHOT_TERM, "a checkpoint is sent with the leader's term instead of its own")   \
    X(CHUNK_ANY, "pieces of a checkpoint are taken in any order")                        \
    X(LOST_IS_OK, "requests in flight when leadership is lost are answered as done")     \
    X(FOLLOWER_SKIPS, "a follower leaves out a command now and then")                    \
    X(ROW_NOT_SAVED, "a changed row does not reach the checkpoint now and then")         \
    X(TIME_GOES_BACK, "the leader's clock is taken as it is")                            \
    X(TOKEN_LOST, "idempotency tokens are not loaded from a checkpoint")                 \
    X(TOKEN_UNKEPT, "RunTask forgets its token")                                         \
    X(PORT_TWICE, "host ports are given without looking who has them")                   \
    X(OVERCOMMIT, "tasks are placed without looking at the room")                        \
    X(PLAN_TRUSTED, "plans are made on what is in flight, and not checked when applied") \
    X(RESURRECTION, "reports about a stopped task are believed")                         \
    X(REVISION_REUSED, "a family counts on from its newest active revision")             \
    X(STOP_FORGOTTEN, "a node that reconnects is not told what to stop")                 \
    X(MARK_DROPPED, "the end of a task does not make its service look again")            \
    X(REPORT_ACKED_EARLY, "reports are acknowledged before they are in the state")       \
    X(ROOM_LEAKED, "a task that is lost keeps its ports")                                \
    X(LEASE_IGNORED, "an agent starts containers without a lease")                       \
    X(UNLISTED_STARTED, "an agent starts what the controller has not confirmed")         \
    X(CREATE_TWICE, "an agent that restarts creates again what it was creating")         \
    X(ORPHAN_KEPT, "containers nobody knows are not removed")                            \
    X(END_NOT_REPORTED, "an agent that restarts does not report what has ended")         \
    X(DIGEST_SKIPPED, "the digest leaves out a row that changed now and then")           \
    X(REMOVED_HEARD, "a controller listens to machines that were removed")               \
    X(RANGE_UNCHECKED, "numbers in messages are not checked for their range")            \
    X(SHORT_TAKEN, "messages that are cut short are taken for whole")                    \
    X(SCALE_IN_ANY, "scaling in does not look which tasks run")                          \
    X(MINIMUM_IGNORED, "deployments do not mind minimumHealthyPercent")                  \
    X(PREEMPT_EQUAL, "tasks of the same priority are stopped to make room")              \
    X(WRONG_NODE, "a task is told to the node beside its own")                           \
    X(UNAUDITED, "StopTask leaves no record in the audit")                               \
    X(REFUSED_ACTS, "an operation on a task that is unknown is refused and does more")   \
    X(FENCE_OPEN, "an agent takes a session that is older than one it had")              \
    X(LEFTOVERS_KEPT, "what a task leaves on its node is not removed")                   \
    X(LOG_KEPT, "old files of the log are kept")                                         \
    X(GC_IDLE, "old rows are kept")                                                      \
    X(GUARD_OFF, "a leader that hears no node gives all of them up")                     \
    X(LOSS_IGNORED, "a leader does not believe a follower that has lost entries")

enum plant {
    PLANT_NONE,
#define PLANT_ENUM(name, text) PLANT_##name,
    PLANT_TABLE(PLANT_ENUM)
#undef PLANT_ENUM
        PLANT_N
};

#if defined PLANT
#define PLANTED(name) (PLANT == PLANT_##name)
#elif defined SIMULATION
extern unsigned plant_active; /* enum plant; tests/sim/main.c sets it. */
#define PLANTED(name) (plant_active == PLANT_##name)
#else
#define PLANTED(name) 0
#endif

#endif
