/* ListHistory: what this controller remembers of what happened. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/ref.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <string.h>

struct history_call {
    struct api_call *call;
    struct page page;
    struct engine_history query;
};

/* --- the question --------------------------------------------------------------------------------
 */

/* What follows the last '/' of an ARN must be an id; *ret is it in its usual form. The object may
 * be gone from the state for long. */
static int read_id(struct api_call *c, const char *field, const char *text, struct str *ret)
{
    const char *last = strrchr(text, '/');
    char hex[ID_HEX_LEN + 1];
    struct id id;
    if (!id_parse(str_of(last == NULL ? text : last + 1), &id)) {
        return api_fail(c, API_INVALID_PARAMETER, "%s: not an id or ARN: %s", field, text);
    }
    id_hex(id, hex);
    *ret = str_of(arena_strdup(&c->arena, hex));
    return 0;
}

static int read_names(struct api_call *c, const Ecs__Admin__V1__ListHistoryRequest *r,
                      struct engine_history *q)
{
    int rv = 0;
    if ((r->task != NULL) + (r->service != NULL) + (r->container_instance != NULL) > 1) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Give at most one of task, service and containerInstance.");
    }
    if (r->cluster != NULL) {
        rv = ref_cluster_name(c, r->cluster, &q->cluster);
    }
    if (rv == 0 && r->task != NULL) {
        struct str id;
        rv = read_id(c, "task", r->task, &id);
        if (rv == 0) {
            q->subject = str_of(arena_printf(&c->arena, "task/%.*s", STR_ARG(id)));
        }
    }
    if (rv == 0 && r->service != NULL) {
        const char *last = strrchr(r->service, '/');
        q->service = str_of(last == NULL ? r->service : last + 1);
    }
    if (rv == 0 && r->container_instance != NULL) {
        rv = read_id(c, "containerInstance", r->container_instance, &q->node);
    }
    return rv;
}

static uint64_t question(const struct api_call *c, const Ecs__Admin__V1__ListHistoryRequest *r,
                         const struct engine_history *q)
{
    uint64_t h = page_question(c, str_of(r->task), r->has_kind ? (uint64_t)r->kind : 0);
    h = page_question(c, q->cluster, h);
    h = page_question(c, q->service, h);
    h = page_question(c, q->node, h ^ (uint64_t)r->since_ms);
    return page_question(c, STR(""), h ^ (uint64_t)r->until_ms);
}

static int read_request(struct history_call *h)
{
    struct api_call *c = h->call;
    const Ecs__Admin__V1__ListHistoryRequest *r =
        (const Ecs__Admin__V1__ListHistoryRequest *)c->request;
    struct engine_history *q = &h->query;
    uint64_t position = 0;
    int rv = read_names(c, r, q);
    if (rv == 0) {
        rv = page_open(&h->page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token,
                       question(c, r, q), NULL);
    }
    if (rv != 0) {
        return rv;
    }
    if (h->page.resumed) {
        if (!str_u64(h->page.after_text, &position) || position > UINT32_MAX) {
            return api_fail(c, API_INVALID_PARAMETER, "Invalid nextToken.");
        }
        q->before_revision = h->page.after;
        q->before_position = (uint32_t)position;
    }
    q->kind = r->has_kind ? (uint8_t)r->kind : 0;
    q->since = r->since_ms;
    q->until = r->until_ms;
    q->n_max = (r->has_max_results ? (uint32_t)r->max_results : PAGE_MAX) + 1;
    return 0;
}

/* --- the answer ----------------------------------------------------------------------------------
 */

static Ecs__Admin__V1__HistoryRecord *describe(struct api_call *c, const struct ring_record *from)
{
    Ecs__Admin__V1__HistoryRecord *m = api_new(c, &ecs__admin__v1__history_record__descriptor);
    API_SET(m, revision, from->revision);
    API_SET(m, position, from->position);
    API_SET(m, kind, (Ecs__Admin__V1__HistoryKind__Value)from->kind);
    API_SET(m, at_ms, from->at);
    m->cluster = api_text(c, from->cluster);
    m->subject = api_text(c, from->subject);
    m->service = api_text(c, from->service);
    m->container_instance = api_text(c, from->node);
    m->text = api_text(c, from->text);
    return m;
}

static void answered(struct engine_history *q)
{
    struct history_call *h = q->data;
    struct api_call *c = h->call;
    Ecs__Admin__V1__ListHistoryResponse *m =
        api_new(c, &ecs__admin__v1__list_history_response__descriptor);
    uint32_t max = q->n_max - 1;
    uint32_t n = q->n < max ? q->n : max;
    if (q->status != 0) {
        (void)api_fail_err(c, q->status, &q->err);
        api_call_finish(c);
        return;
    }
    m->records = api_list(c, n);
    for (uint32_t i = 0; i < n; i++) {
        m->records[m->n_records++] = describe(c, &q->records[i]);
    }
    if (q->n > max) {
        const struct ring_record *last = &q->records[n - 1];
        m->next_token = page_token(&h->page, last->revision,
                                   str_of(arena_printf(&c->arena, "%u", last->position)));
    }
    c->response = &m->base;
    api_call_finish(c);
}

static int history_read(struct api_call *c)
{
    struct history_call *h = arena_alloc(&c->arena, sizeof *h);
    int rv;
    h->call = c;
    rv = read_request(h);
    if (rv != 0) {
        return rv;
    }
    h->query.data = h;
    h->query.done = answered;
    h->query.arena = &c->arena;
    engine_history(api_engine(c->api), &h->query);
    return API_LATER;
}

const struct api_handler op_list_history = {.kind = API_LOCAL, .read = history_read};
