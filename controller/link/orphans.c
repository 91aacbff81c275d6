/* The census of a node goes to the dispatcher; what that confirms becomes findings of the auditor.
 */
#include "controller/codec/nodemsg.h"
#include "controller/core/store.h"
#include "controller/link/link_int.h"

#include <stdio.h>

static struct audit_finding describe(const struct store *store, const struct dispatch_orphan *o,
                                     int64_t now_ms)
{
    static const char *const whys[] = {
        [ORPHAN_UNKNOWN] = "the state does not know it",
        [ORPHAN_STOPPED] = "the state has it as STOPPED",
        [ORPHAN_ELSEWHERE] = "the state has it on another node",
    };
    struct audit_finding f = {.rule = AUDIT_ORPHAN,
                              .kind = KIND_NODE,
                              .slot = o->node,
                              .revision = store_meta(store)->revision};
    char node[ID_HEX_LEN + 1];
    char task[ID_HEX_LEN + 1];
    id_hex(o->node_id, node);
    id_hex(o->task, task);
    (void)snprintf(f.text, sizeof f.text,
                   "node %s: has run task %s for %lld s more than it should: %s", node, task,
                   (long long)(now_ms - o->since_ms) / 1000, whys[o->why]);
    return f;
}

uint32_t orphans_findings(void *ctx, struct audit_finding *v, uint32_t max)
{
    struct link *l = ctx;
    struct dispatch_orphan orphans[AUDIT_FINDINGS_MAX];
    uint32_t room = max < AUDIT_FINDINGS_MAX ? max : AUDIT_FINDINGS_MAX;
    uint32_t n = l->dispatch == NULL ? 0 : dispatch_orphans(l->dispatch, orphans, room);
    for (uint32_t i = 0; i < n && i < room; i++) {
        v[i] = describe(engine_store(l->options.engine), &orphans[i],
                        engine_now_ms(l->options.engine));
    }
    return n;
}

int orphans_read(struct session *s, const Ecs__Agent__V1__Heartbeat *heartbeat, struct err *err)
{
    struct link *l = s->l;
    struct dispatch_orphan news[AUDIT_FINDINGS_MAX];
    struct id *held;
    uint32_t n;
    if (heartbeat->n_held > LINK_HELD_MAX) {
        return err_set(err, ERR_PROTOCOL, "heartbeat.held: more than %d", LINK_HELD_MAX);
    }
    held = arena_array(&l->arena, heartbeat->n_held, sizeof *held);
    for (size_t i = 0; i < heartbeat->n_held; i++) {
        if (!nodemsg_id_read(&heartbeat->held[i], &held[i])) {
            return err_set(err, ERR_PROTOCOL, "heartbeat.held[%zu] is no id", i);
        }
    }
    n = dispatch_census(l->dispatch, s->dispatch, held, (uint32_t)heartbeat->n_held,
                        engine_now_ms(l->options.engine), news, AUDIT_FINDINGS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        struct audit_finding f =
            describe(engine_store(l->options.engine), &news[i], engine_now_ms(l->options.engine));
        engine_audit_found(l->options.engine, &f);
    }
    return 0;
}
