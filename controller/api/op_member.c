/* The operations of the admin service about the members of the control plane. */
#include "common/net/addr.h"
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <string.h>

static int not_available(struct api_call *c, const char *what)
{
    return api_fail(c, API_UNSUPPORTED, "%s is not available on this controller.", what);
}

/* --- who they are ------------------------------------------------------------------------------
 */

static char *text_or_null(struct api_call *c, const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : arena_strdup(&c->arena, text);
}

static Ecs__Admin__V1__Member *describe_member(struct api_call *c, const struct api_member *from)
{
    Ecs__Admin__V1__Member *m = api_new(c, &ecs__admin__v1__member__descriptor);
    API_SET(m, id, from->id);
    m->peer_address = text_or_null(c, from->peer_address);
    m->api_address = text_or_null(c, from->api_address);
    m->role = text_or_null(c, from->role);
    m->version = text_or_null(c, from->version);
    API_SET(m, leader, from->leader);
    API_SET(m, connected, from->connected);
    if (from->has_match) {
        API_SET(m, match_index, from->match_index);
        API_SET(m, lag, from->lag);
    }
    if (from->heard) {
        API_SET(m, last_contact_ms, from->heard_ms);
    }
    if (from->has_room) {
        API_SET(m, disk_room_bytes, from->room_bytes);
    }
    if (from->incarnation != 0) {
        m->incarnation = arena_printf(&c->arena, "%016llx", (unsigned long long)from->incarnation);
    }
    return m;
}

static uint32_t get_members(const struct api_backend *b, struct api_member v[API_MEMBERS_MAX])
{
    uint32_t n;
    memset(v, 0, API_MEMBERS_MAX * sizeof *v);
    n = b->members(b->data, v, API_MEMBERS_MAX);
    return n < API_MEMBERS_MAX ? n : API_MEMBERS_MAX;
}

static int members_read(struct api_call *c)
{
    const struct api_backend *b = api_backend(c->api);
    Ecs__Admin__V1__ListMembersResponse *m =
        api_new(c, &ecs__admin__v1__list_members_response__descriptor);
    struct api_member members[API_MEMBERS_MAX];
    uint32_t n;
    if (b->members == NULL) {
        return not_available(c, "The list of members");
    }
    n = get_members(b, members);
    m->members = api_list(c, n);
    for (uint32_t i = 0; i < n; i++) {
        m->members[m->n_members++] = describe_member(c, &members[i]);
    }
    c->response = &m->base;
    return 0;
}

const struct api_handler op_list_members = {.kind = API_LOCAL, .read = members_read};
const struct api_handler op_describe_members = {.kind = API_LEAD, .read = members_read};

/* --- changes -----------------------------------------------------------------------------------
 */

static int refuse(struct api_call *c, int status, const struct err *err)
{
    const char *text = err != NULL && err->text[0] != '\0' ? err->text : "Refused";
    switch (status) {
    case ERR_NOTFOUND:
        return api_fail(c, API_CLIENT_NOT_FOUND, "%s.", text);
    case ERR_EXISTS:
        return api_fail(c, API_CONFLICT, "%s.", text);
    case ERR_INVALID:
        return api_fail(c, API_INVALID_PARAMETER, "%s.", text);
    case ERR_UNAVAILABLE:
        return api_fail(c, API_CLIENT_STATE, "%s.", text);
    case ERR_FULL:
        return api_fail(c, API_LIMIT, "%s.", text);
    default:
        return api_fail_err(c, status, err);
    }
}

static void changed(void *arg, int status, const struct err *err)
{
    struct api_call *c = arg;
    const struct api_backend *b = api_backend(c->api);
    const struct api_member_change *change = c->state;
    struct api_member members[API_MEMBERS_MAX];
    Ecs__Admin__V1__ChangeMemberResponse *m =
        api_new(c, &ecs__admin__v1__change_member_response__descriptor);
    uint32_t n;
    if (status != 0 && status != ERR_AGAIN) {
        (void)refuse(c, status, err);
        api_call_finish(c);
        return;
    }
    API_SET(m, done, status == 0);
    if (status == ERR_AGAIN) {
        m->waiting_for = arena_strdup(&c->arena, err != NULL ? err->text : "");
    }
    n = get_members(b, members);
    for (uint32_t i = 0; i < n; i++) {
        if (members[i].id == change->id) {
            m->member = describe_member(c, &members[i]);
        }
    }
    c->response = &m->base;
    api_call_finish(c);
}

static int start(struct api_call *c, enum api_change_kind kind, uint64_t id, const char *address)
{
    const struct api_backend *b = api_backend(c->api);
    struct api_member_change *change = arena_alloc(&c->arena, sizeof *change);
    if (b->change_member == NULL || b->members == NULL) {
        return not_available(c, "A change of the members");
    }
    change->kind = kind;
    change->id = id;
    change->address = address;
    c->state = change;
    b->change_member(b->data, change, changed, c);
    return API_LATER;
}

static int check_id(struct api_call *c, bool has, uint64_t id)
{
    if (!has || id == 0 || id > UINT32_MAX) {
        return api_fail(c, API_INVALID_PARAMETER, "id must be from 1 to %u.", UINT32_MAX);
    }
    return 0;
}

static int check_address(struct api_call *c, const char *field, const char *text)
{
    struct addr addr;
    struct err err = {0};
    if (text == NULL || strchr(text, '/') != NULL || strlen(text) > 127 ||
        addr_parse(str_of(text), 0, &addr, &err) != 0) {
        return api_fail(c, API_INVALID_PARAMETER, "%s must be ADDRESS:PORT.", field);
    }
    return 0;
}

static int add_check(struct api_call *c)
{
    const Ecs__Admin__V1__AddMemberRequest *r =
        (const Ecs__Admin__V1__AddMemberRequest *)c->request;
    int rv = check_id(c, r->has_id, r->id);
    if (rv == 0) {
        rv = check_address(c, "peer_address", r->peer_address);
    }
    return rv != 0 ? rv : check_address(c, "api_address", r->api_address);
}

static int add_read(struct api_call *c)
{
    const Ecs__Admin__V1__AddMemberRequest *r =
        (const Ecs__Admin__V1__AddMemberRequest *)c->request;
    return start(c, API_MEMBER_ADD, r->id,
                 arena_printf(&c->arena, "%s/%s", r->peer_address, r->api_address));
}

const struct api_handler op_add_member = {.kind = API_LEAD, .check = add_check, .read = add_read};

static const Ecs__Admin__V1__ChangeMemberRequest *change_request(const struct api_call *c)
{
    return (const Ecs__Admin__V1__ChangeMemberRequest *)c->request;
}

static int change_check(struct api_call *c)
{
    return check_id(c, change_request(c)->has_id, change_request(c)->id);
}

static int promote_read(struct api_call *c)
{
    return start(c, API_MEMBER_PROMOTE, change_request(c)->id, NULL);
}

static int demote_read(struct api_call *c)
{
    return start(c, API_MEMBER_DEMOTE, change_request(c)->id, NULL);
}

static int remove_read(struct api_call *c)
{
    return start(c, API_MEMBER_REMOVE, change_request(c)->id, NULL);
}

const struct api_handler op_promote_member = {
    .kind = API_LEAD, .check = change_check, .read = promote_read};
const struct api_handler op_demote_member = {
    .kind = API_LEAD, .check = change_check, .read = demote_read};
const struct api_handler op_remove_member = {
    .kind = API_LEAD, .check = change_check, .read = remove_read};
