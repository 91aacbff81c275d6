#include "controller/api/metrics.h"

#include "controller/core/store.h"

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    head(b, name, type, help);
    buf_printf(b, "%s %llu\n", name, (unsigned long long)v);
}

static void put_raft(const struct engine *e, struct buf *b)
{
    struct engine_status s;
    engine_status(e, &s);
    one(b, "ecs_raft_term", "gauge", "Current term.", s.term);
    one(b, "ecs_raft_leader_id", "gauge", "Member that leads, 0 while there is none.", s.leader_id);
    one(b, "ecs_raft_member_id", "gauge", "This member.", s.member_id);
    one(b, "ecs_raft_is_leader", "gauge", "Whether this controller leads.", engine_is_leader(e));
    one(b, "ecs_raft_commit_index", "gauge", "Last committed entry.", s.commit_index);
    one(b, "ecs_raft_applied_index", "gauge", "Last applied entry.", s.applied_index);
    one(b, "ecs_raft_checkpoint_index", "gauge", "Last entry in the checkpoint.",
        s.checkpoint_index);
    one(b, "ecs_raft_log_bytes", "gauge", "Size of the log on disk.", s.log_bytes);
    one(b, "ecs_raft_peer_losses_total", "counter",
        "Times a member had lost log entries that it had confirmed to this leader.",
        s.n_peer_losses);
    one(b, "ecs_commands_total", "counter", "Commands applied since the start.", s.n_commands);
    one(b, "ecs_batches_total", "counter", "Batches proposed since the start.", s.n_batches);
    one(b, "ecs_overload_total", "counter", "Requests refused for overload or low disk.",
        s.n_rejected);
    one(b, "ecs_history_records_total", "counter", "Records written to history.db.", s.n_history);
    one(b, "ecs_history_lost_total", "counter", "Records the disk did not take.", s.n_history_lost);
    one(b, "ecs_requests_waiting", "gauge", "Requests waiting for their batch.", s.n_waiting);
}

static void put_number(struct buf *b, const char *name, uint64_t member, uint64_t v)
{
    buf_printf(b, "%s{member=\"%llu\"} %llu\n", name, (unsigned long long)member,
               (unsigned long long)v);
}

/* How far the members are is known to the leader only. */
static void put_members(const struct api *api, struct buf *b)
{
    const struct api_backend *backend = api_backend(api);
    struct api_member v[API_MEMBERS_MAX] = {{.id = 0}};
    uint32_t n = backend->members == NULL ? 0 : backend->members(backend->data, v, API_MEMBERS_MAX);
    uint32_t voters = 0;
    head(b, "ecs_raft_member_connected", "gauge", "Whether there is a connection to the member.");
    for (uint32_t i = 0; i < n; i++) {
        put_number(b, "ecs_raft_member_connected", v[i].id, v[i].connected);
        voters += str_eqc(str_of(v[i].role), "voter");
    }
    head(b, "ecs_raft_member_lag_entries", "gauge", "Entries that the member is behind.");
    for (uint32_t i = 0; i < n; i++) {
        if (v[i].has_match) {
            put_number(b, "ecs_raft_member_lag_entries", v[i].id, v[i].lag);
        }
    }
    one(b, "ecs_raft_members", "gauge", "Members of the control plane.", n);
    one(b, "ecs_raft_voters", "gauge", "Those of them that vote.", voters);
}

static void put_audit(struct engine *e, struct buf *b)
{
    struct audit_status s;
    engine_audit_status(e, &s);
    one(b, "ecs_audit_rounds_total", "counter", "Complete rounds of the auditor.", s.n_rounds);
    one(b, "ecs_audit_rows_total", "counter", "Rows the auditor looked at.", s.n_rows);
    one(b, "ecs_audit_findings_total", "counter", "New findings since the start.", s.n_total);
    head(b, "ecs_audit_findings", "gauge", "Findings of the last complete round; must be 0.");
    for (int rule = 0; rule < AUDIT_N; rule++) {
        buf_printf(b, "ecs_audit_findings{rule=\"%s\"} %llu\n",
                   audit_rule_name((enum audit_rule)rule), (unsigned long long)s.n_found[rule]);
    }
}

/* --- state -------------------------------------------------------------------------------------
 */

struct totals {
    uint64_t services;
    uint64_t running;
    uint64_t pending;
    uint64_t active;
    uint64_t nodes[3][2]; /* By status and connection. */
};

/* What the leader thinks of silent nodes; nothing on the others. */
static void put_loss(struct engine *e, struct buf *b)
{
    const struct leader *l = engine_leader(e);
    struct leader_nodes nodes;
    if (l == NULL) {
        return;
    }
    nodes = leader_nodes(l);
    one(b, "ecs_nodes_silent", "gauge", "Nodes that say nothing and are not given up.",
        nodes.n_silent);
    one(b, "ecs_nodes_giving_up_held", "gauge",
        "So many are silent at once that they are given up slowly (1) or not at all (2).",
        nodes.loss);
}

static void add_nodes(const struct store *s, struct totals *t)
{
    uint32_t end = store_slots(s, KIND_NODE);
    for (uint32_t i = 0; i < end; i++) {
        const struct node *n = store_node(s, i);
        if (n != NULL && n->status <= NODE_INACTIVE) {
            t->nodes[n->status][n->connected]++;
        }
    }
}

static void add_clusters(const struct store *s, struct totals *t)
{
    uint32_t end = store_slots(s, KIND_CLUSTER);
    for (uint32_t i = 0; i < end; i++) {
        const struct cluster *c = store_cluster(s, i);
        if (c != NULL) {
            t->services += c->n_services;
            t->running += c->n_running;
            t->pending += c->n_pending;
            t->active += c->n_active_tasks;
        }
    }
}

static void put_tasks(const struct store *s, const struct totals *t, struct buf *b)
{
    uint64_t all = store_count(s, KIND_TASK);
    uint64_t known = t->running + t->pending;
    uint64_t stopping = t->active > known ? t->active - known : 0;
    uint64_t stopped = all > t->active ? all - t->active : 0;
    head(b, "ecs_tasks", "gauge", "Tasks by status.");
    buf_printf(b, "ecs_tasks{status=\"RUNNING\"} %llu\n", (unsigned long long)t->running);
    buf_printf(b, "ecs_tasks{status=\"PENDING\"} %llu\n", (unsigned long long)t->pending);
    buf_printf(b, "ecs_tasks{status=\"STOPPING\"} %llu\n", (unsigned long long)stopping);
    buf_printf(b, "ecs_tasks{status=\"STOPPED\"} %llu\n", (unsigned long long)stopped);
}

static void put_nodes(const struct totals *t, struct buf *b)
{
    static const char *const words[] = {"ACTIVE", "DRAINING", "INACTIVE"};
    head(b, "ecs_nodes", "gauge", "Nodes by status and connection of their agent.");
    for (unsigned status = 0; status < 3; status++) {
        for (unsigned connected = 0; connected < 2; connected++) {
            buf_printf(b, "ecs_nodes{status=\"%s\",connected=\"%s\"} %llu\n", words[status],
                       connected ? "true" : "false",
                       (unsigned long long)t->nodes[status][connected]);
        }
    }
}

static void put_state(const struct store *s, struct buf *b)
{
    struct totals t = {0};
    add_clusters(s, &t);
    add_nodes(s, &t);
    one(b, "ecs_revision", "gauge", "Commands in the state.", store_meta(s)->revision);
    one(b, "ecs_tokens_fenced", "gauge", "1: client tokens that are not known are refused.",
        store_meta(s)->fenced);
    one(b, "ecs_clusters", "gauge", "Clusters, deleted ones that are still shown included.",
        store_count(s, KIND_CLUSTER));
    one(b, "ecs_services", "gauge", "ACTIVE services.", t.services);
    one(b, "ecs_task_definitions", "gauge", "Revisions of task definitions.",
        store_count(s, KIND_TASKDEF));
    put_tasks(s, &t, b);
    put_nodes(&t, b);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static bool used(const struct api_op_stats *s)
{
    for (unsigned i = 0; i <= API_LATENCY_BUCKETS; i++) {
        if (s->bucket[i] != 0) {
            return true;
        }
    }
    return false;
}

static void put_codes(const struct api *api, uint32_t index, struct buf *b)
{
    const struct api_op *op = api_op_at(api, index);
    const struct api_op_stats *s = api_op_stats(api, index);
    for (int code = 0; code < API_CODE_N; code++) {
        if (s->n[code] != 0) {
            buf_printf(b, "ecs_api_requests_total{operation=\"%s\",code=\"%s\"} %llu\n", op->name,
                       api_code_info((enum api_code)code)->symbol, (unsigned long long)s->n[code]);
        }
    }
}

static void put_latency(const struct api *api, uint32_t index, struct buf *b)
{
    const char *name = api_op_at(api, index)->name;
    const struct api_op_stats *s = api_op_stats(api, index);
    uint64_t n = 0;
    for (unsigned i = 0; i < API_LATENCY_BUCKETS; i++) {
        n += s->bucket[i];
        buf_printf(b,
                   "ecs_api_request_duration_seconds_bucket{operation=\"%s\",le=\"%u.%06u\"} "
                   "%llu\n",
                   name, api_latency_bounds_us[i] / 1000000, api_latency_bounds_us[i] % 1000000,
                   (unsigned long long)n);
    }
    n += s->bucket[API_LATENCY_BUCKETS];
    buf_printf(b, "ecs_api_request_duration_seconds_bucket{operation=\"%s\",le=\"+Inf\"} %llu\n",
               name, (unsigned long long)n);
    buf_printf(b, "ecs_api_request_duration_seconds_sum{operation=\"%s\"} %llu.%06llu\n", name,
               (unsigned long long)(s->sum_us / 1000000),
               (unsigned long long)(s->sum_us % 1000000));
    buf_printf(b, "ecs_api_request_duration_seconds_count{operation=\"%s\"} %llu\n", name,
               (unsigned long long)n);
}

static void put_requests(const struct api *api, struct buf *b)
{
    one(b, "ecs_api_calls", "gauge", "Calls under way.", api_n_calls(api));
    head(b, "ecs_api_requests_total", "counter", "Calls answered, by operation and outcome.");
    for (uint32_t i = 0; i < api_n_ops(api); i++) {
        put_codes(api, i, b);
    }
    head(b, "ecs_api_request_duration_seconds", "histogram", "Time from request to answer.");
    for (uint32_t i = 0; i < api_n_ops(api); i++) {
        if (used(api_op_stats(api, i))) {
            put_latency(api, i, b);
        }
    }
}

void metrics_write(const struct api *api, struct buf *to)
{
    struct engine *e = api_engine(api);
    head(to, "ecs_build_info", "gauge", "Version of the controller.");
    buf_puts(to, "ecs_build_info{version=\"" ECS_VERSION "\"} 1\n");
    one(to, "ecs_uptime_seconds", "counter", "Since the controller started.",
        api_uptime_ms(api) / 1000);
    put_raft(e, to);
    put_members(api, to);
    put_audit(e, to);
    put_state(engine_store(e), to);
    put_loss(e, to);
    put_requests(api, to);
}
