/* controller/api/backend.h
 *
 * What the admin service needs from parts of the controller that this folder does not know: the
 * program fills in the functions. NULL functions answer "not available". Loop thread only. */
#ifndef CONTROLLER_API_BACKEND_H
#define CONTROLLER_API_BACKEND_H

#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define API_MEMBERS_MAX 16

struct api_member { /* Texts are borrowed for the call. */
    uint64_t id;
    const char *peer_address;
    const char *api_address;
    const char *role; /* "voter", "standby", "spare". */
    bool leader;
    bool connected;
    bool has_match;
    uint64_t match_index; /* As the leader knows it ... */
    uint64_t lag;         /* ... and so many entries behind. */
    bool heard;           /* By the leader, ... */
    uint64_t heard_ms;    /* ... so long ago. */
    bool has_room;
    uint64_t room_bytes;
    uint64_t incarnation; /* 0: not recorded. */
    const char *version;
};

enum api_change_kind {
    API_MEMBER_ADD,
    API_MEMBER_PROMOTE,
    API_MEMBER_DEMOTE,
    API_MEMBER_REMOVE,
};

struct api_member_change {
    enum api_change_kind kind;
    uint64_t id;
    const char *address; /* "PEER/API", to add. */
};

/* --- streams to a client ------------------------------------------------------------------------
 */

struct api_stream; /* Opaque: one streaming call. */

struct api_stream_events { /* May be NULL each. */
    /* api_stream_writable() has become true again. */
    void (*drain)(struct api_stream *s, void *data);
    /* Nobody listens any more, or the deadline passed: stop and forget s. Not after
     * api_stream_finish(). */
    void (*cancel)(struct api_stream *s, void *data);
};

/* Who produces the stream; inside the backend function that was given it. */
void api_stream_set(struct api_stream *s, const struct api_stream_events *events, void *data);

/* Hand over bytes, sent as one message. ERR_FULL when the client is too slow, ERR_CLOSED. */
int api_stream_send(struct api_stream *s, struct str bytes);
bool api_stream_writable(const struct api_stream *s);

/* The end; s is gone. status 0 or an ERR_* with err (may be NULL). For backups sha256 (hex) and
 * revision go into the last message. */
void api_stream_finish(struct api_stream *s, int status, const struct err *err);
struct api_backup_head {
    struct id cluster_id;
    uint64_t epoch;
    uint64_t index;
    uint64_t term;
    uint64_t revision;
    uint64_t digest;
    uint64_t size; /* Bytes that will follow. */
    int64_t created_at;
};

/* The first message of a backup. */
int api_stream_send_backup_head(struct api_stream *s, const struct api_backup_head *head);
void api_stream_finish_backup(struct api_stream *s, const char *sha256, uint64_t revision);

struct api_logs_request {
    struct id task;
    struct id node;     /* Where it runs. */
    uint32_t container; /* Index in the task definition. */
    struct str name;    /* Of the container; borrowed for the call. */
    bool follow;
    int64_t since_ms;
    uint32_t tail; /* 0: all. */
};

/* --- the functions ------------------------------------------------------------------------------
 */

/* leader_id: who leads now, when status is 0. Exactly once, never inside transfer(). */
typedef void (*api_transfer_cb)(void *arg, int status, uint64_t leader_id, const struct err *err);

/* status 0: committed, or so already; ERR_AGAIN: not yet, err says what it waits for; otherwise why
 * not. Exactly once, never inside change_member(). */
typedef void (*api_change_cb)(void *arg, int status, const struct err *err);

struct api_backend {
    void *data; /* First argument of all. */

    /* Fill at most max members, return how many there are. */
    uint32_t (*members)(void *data, struct api_member *v, uint32_t max);

    /* Hand leadership to a member (0: the best). On the leader. */
    void (*transfer)(void *data, uint64_t member_id, api_transfer_cb cb, void *arg);

    /* One step of a change of the members; change lives until cb has run. On the leader. */
    void (*change_member)(void *data, const struct api_member_change *change, api_change_cb cb,
                          void *arg);

    /* Agents connected to this controller. */
    uint32_t (*n_sessions)(void *data);

    /* SHA-256 of the CA certificate, 64 hex digits, for join tokens; "" when there is none. */
    const char *(*ca_pin)(void *data);

    /* Send the checkpoint file; ends with api_stream_finish_backup(). */
    void (*backup)(void *data, struct api_stream *s);

    /* Send lines of a container's log. On the leader, to which agents are connected. */
    void (*task_logs)(void *data, struct api_stream *s, const struct api_logs_request *request);
};

#endif
