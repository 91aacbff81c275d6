/* agent/core/limits.h
 *
 * Every maximum of the agent's core. Reaching one is an ordinary error with a test. Pure. */
#ifndef AGENT_CORE_LIMITS_H
#define AGENT_CORE_LIMITS_H

#define LIMIT_TASKS        4096 /* Rows: tasks that run, and the memory of those that ran. */
#define LIMIT_CONTAINERS   32   /* In one task. */
#define LIMIT_EDGES        256  /* Dependencies between the containers of one task. */
#define LIMIT_KEPT         32   /* Stopped tasks whose files wait for their time to be removed. */
#define LIMIT_REPORT_TASKS 64   /* In one message. */
#define LIMIT_REASON       256  /* With NUL; ECS allows 255 characters for a container. */

#define LIMIT_LIST       1024 /* Elements of any list of one container, unless named here. */
#define LIMIT_VOLUMES    64
#define LIMIT_ASSIGN     65536 /* Assignments in one message. */
#define LIMIT_ATTRIBUTES 256
#define LIMIT_ADDRESSES  16              /* Controllers. */
#define LIMIT_STRING     (256u * 1024u)  /* Any text; one environment variable may hold a file. */
#define LIMIT_SPEC       (1024u * 1024u) /* A task's specification, encoded. */

#define DEFAULT_START_TIMEOUT_S 180 /* ECS_CONTAINER_START_TIMEOUT */
#define DEFAULT_STOP_TIMEOUT_S  30  /* ECS_CONTAINER_STOP_TIMEOUT */

#define ORPHAN_MS     60000   /* A container nobody knows is removed after this. */
#define TOMBSTONE_MS  3600000 /* A task that ran is remembered at least this long. */
#define STOP_RETRY_MS 5000    /* After a stop or a removal that failed. */

#endif
