#include "controller/program/member.h"

#include "common/loop/loop.h"
#include "common/loop/sysmem.h"
#include "controller/program/backend.h"
#include "controller/raftio/raftnode.h"

#include <assert.h>
#include <string.h>

#define POLL_MS 10
#define WAIT_MS 5000

/* --- who they are ------------------------------------------------------------------------------
 */

static const char *role_name(enum raftnode_seat_role role)
{
    switch (role) {
    case RAFTNODE_VOTER:
        return "voter";
    case RAFTNODE_STANDBY:
        return "standby";
    case RAFTNODE_SPARE:
        return "spare";
    }
    return "";
}

static uint32_t get_members(void *data, struct api_member *v, uint32_t max)
{
    struct backend *b = data;
    struct raftnode *node = engine_node(b->engine);
    struct raftnode_seat seats[RAFTNODE_MEMBERS_MAX];
    unsigned n = raftnode_members(node, seats);
    assert(max >= RAFTNODE_MEMBERS_MAX);
    for (unsigned i = 0; i < n; i++) {
        const struct raftnode_seat *s = &seats[i];
        v[i] = (struct api_member){
            .id = s->id,
            .peer_address = s->peer_address,
            .api_address = s->api_address,
            .role = role_name(s->role),
            .leader = raftnode_leader(node) == s->id,
            .connected = s->connected,
            .has_match = s->known,
            .match_index = s->match,
            .lag = s->lag,
            .heard = s->heard,
            .heard_ms = s->heard_ms,
            .has_room = s->has_room,
            .room_bytes = s->room_bytes,
            .incarnation = s->incarnation,
            .version = s->software,
        };
    }
    return n;
}

/* --- changes -----------------------------------------------------------------------------------
 */

struct pending {
    struct list link;
    struct backend *b;
    api_change_cb cb;
    void *arg;
    struct loop_timer *timer;
    uint64_t index; /* Where it will be committed; 0: it is so already. */
    uint64_t give_up_ms;
    int failed;
    struct err err;
};

static void end_change(struct pending *c, int status)
{
    list_remove(&c->link);
    loop_timer_close(c->timer);
    c->cb(c->arg, status, &c->err);
    mem_free(sysmem(), c, sizeof *c);
}

static void poll_change(void *data)
{
    struct pending *c = data;
    struct raftnode *node = engine_node(c->b->engine);
    if (c->failed != 0) {
        end_change(c, c->failed);
    } else if (c->index == 0 || raftnode_members_index(node) >= c->index) {
        end_change(c, 0);
    } else if (!raftnode_is_leader(node)) {
        (void)err_set(&c->err, ERR_UNKNOWN, "leadership has moved; ask again");
        end_change(c, ERR_UNKNOWN);
    } else if (clock_mono_ms() >= c->give_up_ms) {
        (void)err_set(&c->err, ERR_AGAIN, "the change is not committed yet");
        end_change(c, ERR_AGAIN);
    }
}

static int ask(struct raftnode *node, const struct api_member_change *change, struct pending *c)
{
    switch (change->kind) {
    case API_MEMBER_ADD:
        return raftnode_add(node, change->id, change->address, &c->index, &c->err);
    case API_MEMBER_PROMOTE:
        return raftnode_promote(node, change->id, &c->index, &c->err);
    case API_MEMBER_DEMOTE:
        return raftnode_demote(node, change->id, &c->index, &c->err);
    case API_MEMBER_REMOVE:
        return raftnode_remove(node, change->id, &c->index, &c->err);
    }
    return err_set(&c->err, ERR_INVALID, "unknown change");
}

static void change_member(void *data, const struct api_member_change *change, api_change_cb cb,
                          void *arg)
{
    struct backend *b = data;
    struct pending *c = mem_alloc(sysmem(), sizeof *c);
    c->b = b;
    list_push(&b->changes, &c->link);
    c->cb = cb;
    c->arg = arg;
    c->give_up_ms = clock_mono_ms() + WAIT_MS;
    c->timer = loop_timer_open(b->loop, poll_change, c);
    c->failed = ask(engine_node(b->engine), change, c);
    loop_timer_repeat(c->timer, 0, POLL_MS);
}

void member_close(struct backend *b)
{
    if (b->changes.next == NULL) {
        return;
    }
    while (!list_empty(&b->changes)) {
        struct pending *c = container_of(b->changes.next, struct pending, link);
        (void)err_set(&c->err, ERR_CLOSED, "the controller stops");
        end_change(c, ERR_CLOSED);
    }
}

void member_functions(struct backend *b, struct api_backend *ret)
{
    list_init(&b->changes);
    ret->members = get_members;
    ret->change_member = change_member;
}
