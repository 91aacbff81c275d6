/* controller/engine/open.h
 *
 * Starting and stopping the engine; for main. Everybody else needs engine.h only. */
#ifndef CONTROLLER_ENGINE_OPEN_H
#define CONTROLLER_ENGINE_OPEN_H

#include "controller/engine/engine.h"

#include <uv.h>

struct tls_context;
struct raftnode;
struct storage;

struct engine_member {
    uint64_t id;
    const char *peer_address; /* "host:port" of the raft port ... */
    const char *api_address;  /* ... and of the front door. */
};

struct engine_config { /* Strings are borrowed until engine_close(). */
    const char *dir;   /* Data directory; log/ and checkpoint.db live in it. */
    uint64_t id;
    const struct engine_member *members; /* Who begins the cluster; later the log says. */
    unsigned n_members;
    bool joining; /* An empty directory begins nothing: this controller waits to be added. */
    const char *software;           /* Our version, for people. */
    const char *peer_listen;        /* "ip:port"; NULL: our own peer address. */
    struct tls_context *tls_server; /* For the raft port; both NULL: plain, for tests. */
    struct tls_context *tls_client;
    unsigned election_ms;
    unsigned heartbeat_ms;
    uint64_t trailing; /* Log entries kept behind the checkpoint; 0: raftnode's default. */
    struct leader_settings leader;
};

/* Exit status of a controller that has no seat any more: it was removed, or lost its data. Starting
 * it again does not help. */
#define ENGINE_EXIT_EXPELLED 3

/* Load the checkpoint, open the log, join the peers. Blocking (start-up). Other threads use mem
 * too. */
int engine_open(uv_loop_t *loop, const struct engine_config *config, const struct mem *mem,
                struct engine **ret, struct err *err);

/* Refuse new requests, hand leadership over, write the checkpoint; then stopped runs from the
 * loop. */
void engine_stop(struct engine *e, void (*stopped)(void *ctx), void *ctx);

/* Answer every request that still waits with ERR_CLOSED (ERR_UNKNOWN when it is in flight), here
 * and now. For the end, before those who asked are released; the loop must not run again. NULL is
 * fine. */
void engine_abandon(struct engine *e);

/* Release everything; requests still waiting are answered ERR_CLOSED. NULL is fine. */
void engine_close(struct engine *e);

/* For the operators' tools. */
struct raftnode *engine_node(struct engine *e);
struct storage *engine_storage(struct engine *e);
const struct engine_config *engine_settings(const struct engine *e);

#endif
