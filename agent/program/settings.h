/* agent/program/settings.h
 *
 * The options of ecs-agent: flags, ECS_* variables, /etc/ecs/agent.conf; see common/conf/conf.h.
 * Everything is owned by the conf inside. */
#ifndef AGENT_PROGRAM_SETTINGS_H
#define AGENT_PROGRAM_SETTINGS_H

#include "agent/core/executor.h"
#include "common/base/err.h"
#include "common/conf/conf.h"
#include "common/log/log.h"

#include <stdbool.h>
#include <stdint.h>

struct settings {
    const char *data_dir;
    const char *run_dir; /* Made up from data_dir when not given. */
    struct conf_list controllers;
    const char *join_token;
    const char *join_token_file;
    const char *cluster;
    const char *name;
    const char *address;
    uint64_t lease_ms;

    uint64_t cpu;
    uint64_t memory;
    uint64_t reserve_cpu;
    uint64_t reserve_memory;
    const char *port_range;
    struct conf_list reserved_ports;
    struct conf_list attributes;
    const char *zone;
    const char *capacity_provider;
    const char *instance_type;

    const char *runtime;
    const char *cgroup_parent;
    const char *bridge;
    const char *subnet;
    struct conf_list insecure_registries;
    struct conf_list host_paths;
    bool allow_privileged;
    const char *image_pull;
    uint64_t image_keep_ms;
    uint64_t start_timeout_ms;
    uint64_t stop_timeout_ms;
    uint64_t keep_stopped_ms;
    uint64_t log_max_size;
    uint64_t log_max_files;

    const char *log_level;
    bool log_json;
    /* Derived. */
    enum log_level level;
    enum exec_pull_policy pull_policy;
    struct conf *conf;
};

/* argv without subcommand. CONF_EXIT_OK: print conf_text(ret->conf) and leave. */
int settings_load(int argc, char *const *argv, char *const *env, struct settings *ret,
                  enum conf_outcome *ret_outcome, struct err *err);
void settings_close(struct settings *s); /* Zeroed settings are fine. */

#endif
