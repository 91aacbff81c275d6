/* controller/program/settings.h
 *
 * The settings of ecs-controller, from flags, environment and file, checked as a whole. */
#ifndef CONTROLLER_PROGRAM_SETTINGS_H
#define CONTROLLER_PROGRAM_SETTINGS_H

#include "common/base/err.h"
#include "common/conf/conf.h"
#include "controller/engine/open.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_MEMBERS_MAX 7

struct settings {
    /* As given. */
    uint64_t id;
    const char *data_dir;
    struct conf_list member_list; /* "ID=PEER_ADDRESS/API_ADDRESS" */
    bool join;
    const char *listen;
    const char *peer_listen;
    const char *insecure_api;
    const char *cert;
    const char *key;
    const char *ca;
    const char *ca_key;
    const char *domain;
    const char *account;
    const char *region;
    uint64_t election_ms;
    uint64_t heartbeat_ms;
    uint64_t trailing;
    uint64_t node_lost_after_ms;
    uint64_t node_heartbeat_ms;
    uint64_t node_loss_percent;
    uint64_t max_per_address;
    uint64_t max_connections; /* 0: what the limit of open files allows. */
    uint64_t urgency;         /* Run at minus this nice value. */
    const char *log_level;
    bool log_json;
    /* Made from these. Texts live in the conf or in `texts`. */
    struct engine_member members[SETTINGS_MEMBERS_MAX];
    unsigned n_members;
    char texts[SETTINGS_MEMBERS_MAX][2][128];
};

/* On success *ret_conf owns the strings. *ret_outcome as conf_load(). */
int settings_load(int argc, char **argv, char **env, struct settings *ret, struct conf **ret_conf,
                  enum conf_outcome *ret_outcome, struct err *err);

#endif
