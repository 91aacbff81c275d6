/* agent/shim/protocol.h
 *
 * What ecs-shim and the agent tell each other. The shim is one small process per container: it
 * starts the container, owns its output, and is its parent until the end. The agent may come and
 * go. Constants only; both sides include this.
 *
 * Files, in the container's directory:
 *
 *   config.json rootfs/ upper/ work/   the bundle; rootfs is mounted in the shim's mount namespace
 *   log.json, log.json.1, ...          output, see below; .1 is the newest of the old
 *   runtime.log                        what the OCI runtime had to say
 *   sock                               the shim's Unix socket (stream), while it lives
 *   lock                               locked by flock(2) from before the shim's first act to its
 *                                      end, however it ends: who gets the lock knows it is gone
 *   state                              replaced in one step; lines of "key value":
 *
 *     ecs-shim 1                       version, always first
 *     phase running                    or exited, or failed (never started)
 *     boot 2f3e...                     /proc/sys/kernel/random/boot_id: pids mean nothing after it
 *     pid 4711                         the container's first process ...
 *     pid_start 8834511                ... and field 22 of its /proc/PID/stat: no other process
 *     shim_pid 4700
 *     shim_pid_start 8834500
 *     started_at_ms 1767225600000
 *     finished_at_ms 1767225601000     from here on only when exited
 *     exit_code 137
 *     signal 9                         0: it ended by itself
 *     oom_kills 1                      by the cgroup's counter, not guessed from the exit code
 *     lost_lines 0                     output dropped because it could not be written
 *
 * "exited" is on disk (fsync, rename, fsync) before anybody is told.
 *
 * Talk, one line each. Descriptor 3 at birth, and every connection to sock:
 *
 *   shim -> agent   ready PID        its own pid; its namespaces exist, the container does not
 *                                    (descriptor 3)
 *                   running PID      the container runs (descriptor 3)
 *                   failed TEXT      it could not be started; the shim ends
 *                   exited           see the state file; the shim cleans up and ends
 *                   ok / error TEXT  answers to signal
 *   agent -> shim   go               after "ready": start the container
 *                   status           answered by the state file's lines and an empty line
 *                   signal N         to the container's first process
 *
 * End of file before "go" makes the shim undo everything and end. End of file from the shim
 * without "exited" or "failed" before it means the shim was killed; the container goes on.
 *
 * Log lines are those of Docker's json-file, so existing tools read them:
 *
 *   {"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}
 *
 * Lines longer than SHIM_LINE_MAX are cut into pieces, of which only the last ends in \n. Bytes
 * that are not UTF-8 become U+FFFD. */
#ifndef AGENT_SHIM_PROTOCOL_H
#define AGENT_SHIM_PROTOCOL_H

#define SHIM_VERSION    1
#define SHIM_LINE_MAX   8192 /* Of container output. */
#define SHIM_TALK_MAX   1024 /* Of the lines above. */
#define SHIM_STATE_MAX  1024 /* Of the whole state file. */
#define SHIM_FD         3
#define SHIM_FILE_STATE "state"
#define SHIM_FILE_SOCK  "sock"
#define SHIM_FILE_LOCK  "lock"
#define SHIM_FILE_LOG   "log.json"

/* With a user namespace: where the container's directory is seen in the supervisor's mount
 * namespace, with volumes/ (the task's) and init (this program) in it. The real one is below
 * directories that only the node's root may enter, and the runtime acts as the container's. */
#define SHIM_ALIAS   "/mnt"
#define SHIM_VOLUMES "volumes"
#define SHIM_INIT    "init"

#define SHIM_READY   "ready"
#define SHIM_RUNNING "running"
#define SHIM_FAILED  "failed"
#define SHIM_EXITED  "exited"
#define SHIM_GO      "go"
#define SHIM_STATUS  "status"
#define SHIM_SIGNAL  "signal"

#endif
