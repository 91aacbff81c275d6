/* agent/core/spec.h
 *
 * What one task is, as this node needs to know it: resolved names, numbers and lists, nothing that
 * must be looked up. Plain values. Everything a struct task_spec points to lives in one arena that
 * its owner keeps at least as long; readers borrow. Strings are NUL-terminated and never NULL
 * (absent is ""), lists are NULL only when their count is 0. Pure. */
#ifndef AGENT_CORE_SPEC_H
#define AGENT_CORE_SPEC_H

#include "common/base/id.h"

#include <stdbool.h>
#include <stdint.h>

/* Names that become file names and cgroup names: [A-Za-z0-9_-], at most this long. */
#define SPEC_NAME_MAX 255

enum net_mode {
    NET_MODE_BRIDGE, /* Own namespace behind the node's bridge; ports mapped. */
    NET_MODE_HOST,   /* The node's own namespace; ports are the node's ports. */
    NET_MODE_NONE,   /* Own namespace with loopback only. */
    NET_MODE_AWSVPC, /* One namespace for the whole task. */
    NET_MODE_N,
};

enum spec_protocol {
    SPEC_TCP,
    SPEC_UDP,
    SPEC_PROTOCOL_N,
};

struct spec_pair { /* Environment, labels, sysctls, log options. */
    const char *name;
    const char *value;
};

struct spec_port {
    uint16_t container_port;
    uint16_t host_port; /* Already chosen by the placement; never 0 in bridge mode. */
    enum spec_protocol protocol;
    const char *name; /* For service discovery; "" when unnamed. */
};

struct spec_host { /* One line of /etc/hosts. */
    const char *name;
    const char *ip;
};

struct spec_link { /* Bridge mode: another container of the task, by name, known here as alias. */
    const char *container;
    const char *alias;
};

struct spec_ulimit {
    const char *name; /* "nofile", as in AWS. */
    int64_t soft;     /* -1: unlimited. */
    int64_t hard;
};

struct spec_tmpfs {
    const char *path;
    uint32_t size_mib;
    const char *const *options;
    uint32_t n_options;
};

struct spec_mount {
    const char *volume; /* A name of task_spec.volumes. */
    const char *path;   /* In the container, absolute. */
    bool read_only;
};

struct spec_volumes_from { /* Every mount of another container of the task. */
    const char *container;
    bool read_only;
};

struct spec_log {
    const char *driver; /* "json-file" (also when ""), or "none". */
    uint64_t max_size;  /* Bytes a file may reach; 0: the agent's default. */
    uint32_t max_files; /* Files kept, the current one included; 0: the agent's default. */
    const struct spec_pair *options;
    uint32_t n_options;
};

struct spec_health {            /* Absent when n_command is 0. */
    const char *const *command; /* An argument vector; CMD-SHELL is already {"/bin/sh", "-c", …}. */
    uint32_t n_command;
    uint32_t interval_s;
    uint32_t timeout_s;
    uint32_t retries;
    uint32_t start_period_s;
};

enum spec_condition {
    SPEC_COND_START,
    SPEC_COND_COMPLETE,
    SPEC_COND_SUCCESS,
    SPEC_COND_HEALTHY,
    SPEC_COND_N,
};

struct spec_depends {
    const char *container;
    enum spec_condition condition;
};

struct container_spec {
    const char *name; /* Unique in the task; see SPEC_NAME_MAX. */
    const char *image;
    bool essential;

    uint32_t cpu_units;  /* 1024 is one core; 0: the least share. */
    uint32_t memory_mib; /* Hard limit; 0: the task's, if there is one. */
    uint32_t memory_reservation_mib;
    uint32_t shm_size_mib; /* 0: 64. */
    uint32_t pids_limit;   /* 0: the agent's default. */

    const char *const *entry_point; /* n 0: the image's. */
    uint32_t n_entry_point;
    const char *const *command; /* n 0: the image's, unless entry_point is set. */
    uint32_t n_command;
    const struct spec_pair *environment; /* Secrets included; later entries win. */
    uint32_t n_environment;
    const char *working_directory; /* "": the image's. */
    const char *user;              /* "name[:group]" or "uid[:gid]"; "": the image's. */
    const char *hostname;          /* "": the first 12 digits of the task id. */

    const struct spec_host *extra_hosts;
    uint32_t n_extra_hosts;
    const struct spec_link *links;
    uint32_t n_links;
    const char *const *dns_servers; /* n 0: the node's. */
    uint32_t n_dns_servers;
    const char *const *dns_search;
    uint32_t n_dns_search;

    bool readonly_root_filesystem;
    bool privileged;            /* Refused unless the agent allows it. */
    bool init;                  /* An init process that reaps, as `docker run --init`. */
    const char *const *cap_add; /* "NET_ADMIN", without CAP_. */
    uint32_t n_cap_add;
    const char *const *cap_drop;
    uint32_t n_cap_drop;
    const struct spec_ulimit *ulimits;
    uint32_t n_ulimits;
    const struct spec_pair *sysctls;
    uint32_t n_sysctls;
    const struct spec_tmpfs *tmpfs;
    uint32_t n_tmpfs;

    const struct spec_port *ports;
    uint32_t n_ports;
    const struct spec_mount *mounts;
    uint32_t n_mounts;
    const struct spec_volumes_from *volumes_from;
    uint32_t n_volumes_from;

    struct spec_log log;
    struct spec_health health;
    const struct spec_depends *depends_on;
    uint32_t n_depends_on;
    const struct spec_pair *labels;
    uint32_t n_labels;

    uint32_t start_timeout_s; /* 0: the agent's default, as for the next one. */
    uint32_t stop_timeout_s;
};

enum spec_volume_kind {
    SPEC_VOLUME_TASK, /* An empty directory that goes with the task. */
    SPEC_VOLUME_HOST, /* host_path, which must be on the agent's allow-list. */
    SPEC_VOLUME_KIND_N,
};

struct spec_volume {
    const char *name;
    enum spec_volume_kind kind;
    const char *host_path;
};

struct task_spec {
    struct id id;
    const char *arn;
    const char *cluster; /* Name, not ARN, as are the next two. */
    const char *family;
    const char *service; /* "" for standalone tasks. */
    uint32_t revision;   /* Of the family. */
    const char *group;
    uint64_t generation; /* Fencing number of the slot. */

    enum net_mode net_mode;
    uint32_t cpu_units; /* Of the whole task; 0: the sum of its containers. */
    uint32_t memory_mib;

    const struct container_spec *containers;
    uint32_t n_containers;
    const struct spec_volume *volumes;
    uint32_t n_volumes;
};

#endif
