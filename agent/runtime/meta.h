/* agent/runtime/meta.h
 *
 * What an agent must know to adopt a container it did not start itself: meta.json, written before
 * the container exists, and the supervisor's state file (agent/shim/protocol.h). Both are parsed
 * with suspicion: a machine that lost power may have torn them. The parsers are pure apart from
 * jansson's memory; any thread. */
#ifndef AGENT_RUNTIME_META_H
#define AGENT_RUNTIME_META_H

#include "agent/core/executor.h"
#include "common/base/arena.h"
#include "common/base/str.h"

#define META_MAX    (64u * 1024)
#define META_PORTS  256
#define BOOT_ID_MAX 40

struct meta {
    struct id task;
    const char *name; /* In the arena, as are the ports. */
    struct exec_image image;
    enum net_mode net_mode;
    uint32_t ip; /* Host byte order, 0: none. */
    const struct spec_port *ports;
    uint32_t n_ports;
    uint32_t uid_base; /* 0: no user namespace. */
    int stop_signal;
};

/* The text of meta.json; free() it. NULL when memory ran out. */
char *meta_format(const struct meta *m);
int meta_parse(struct str text, struct arena *arena, struct meta *ret, struct err *err);

enum shim_phase {
    SHIM_PHASE_RUNNING,
    SHIM_PHASE_EXITED,
    SHIM_PHASE_FAILED,
};

struct shim_state {
    enum shim_phase phase;
    char boot[BOOT_ID_MAX];
    int32_t pid;
    uint64_t pid_start;
    int32_t shim_pid;
    uint64_t shim_pid_start;
    uint64_t started_at_ms;
    uint64_t finished_at_ms;
    int exit_code;
    int signal;
    uint64_t oom_kills;
    uint64_t lost_lines;
};

int shim_state_parse(struct str text, struct shim_state *ret, struct err *err);

/* "SIGTERM", "TERM", "15", as images say it; SIGTERM for "" and for what is none. */
int signal_parse(const char *text);

#endif
