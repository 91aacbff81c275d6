/* tests/lib/world.h
 *
 * A store with short ways to fill it, for tests of the core. Every call applies one command at the
 * world's time and leaves what came of it in `result`. */
#ifndef TESTS_LIB_WORLD_H
#define TESTS_LIB_WORLD_H

#include "common/base/arena.h"
#include "controller/core/store.h"

struct world {
    struct store *store;
    struct changes changes; /* Of the last command. */
    struct result result;
    int64_t now;
    uint64_t seed;
    struct arena arena; /* For what commands point to. */
    /* Told about every command before it is applied and after; may be NULL. */
    void (*before)(struct world *w, const struct command *cmd);
    void (*after)(struct world *w, const struct command *cmd);
    void *data;
};

void world_open(struct world *w);
void world_close(struct world *w); /* Checks the store once more. */

/* Apply; at_ms and seed are filled in. True when it was carried out. */
bool world_apply(struct world *w, struct command *cmd);

bool world_cluster(struct world *w, const char *name);
bool world_cluster_delete(struct world *w, const char *name);

/* One essential container "main" in bridge mode; host_port -1: no ports, 0: a dynamic one. */
bool world_taskdef(struct world *w, const char *family, uint32_t cpu, uint32_t memory,
                   int host_port);
bool world_taskdef_ref(struct world *w, uint8_t kind, const char *family, uint32_t revision);

bool world_service(struct world *w, const char *cluster, const char *name, const char *family,
                   uint32_t desired);
/* With one placement constraint. */
bool world_service_with(struct world *w, const char *cluster, const char *name, const char *family,
                        uint32_t desired, uint8_t type, const char *expression);
bool world_daemon(struct world *w, const char *cluster, const char *name, const char *family);
bool world_service_scale(struct world *w, const char *cluster, const char *name, uint32_t desired);
bool world_service_taskdef(struct world *w, const char *cluster, const char *name,
                           const char *family, uint32_t revision);
bool world_service_delete(struct world *w, const char *cluster, const char *name, bool force);

struct id world_id(uint64_t n); /* The n-th id of a node. */
bool world_node(struct world *w, const char *cluster, uint64_t n, uint32_t cpu, uint32_t memory);
bool world_node_state(struct world *w, const char *cluster, uint64_t n, uint8_t status);
bool world_node_deregister(struct world *w, const char *cluster, uint64_t n, bool force);

/* Of the session the node has now. */
bool world_connection(struct world *w, uint64_t n, uint8_t connection);

/* One task of a definition on a node, with a dynamic port from 40000 up if it wants one;
 * result.ids[0] is its id. */
bool world_run(struct world *w, uint32_t cluster, uint32_t taskdef, uint32_t node);
bool world_stop(struct world *w, const char *cluster, struct id id);

/* As its node's agent would; an essential container's exit goes with STOPPED. */
bool world_report(struct world *w, struct id id, uint8_t status, int exit_code);
bool world_gc(struct world *w);

#endif
