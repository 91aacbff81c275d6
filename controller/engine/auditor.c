/* The auditor's turn: a few thousand rows ten times a second while a round runs, so that a state of
 * a million tasks is checked in minutes without anybody noticing. */
#include "common/log/log.h"
#include "controller/engine/engine_int.h"

#define TURN_MS   100
#define TURN_ROWS 2000
#define ROUND_MS  30000

static void on_finding(void *ctx, const struct audit_finding *f)
{
    (void)ctx;
    log_error("audit.finding", log_str("rule", audit_rule_name((enum audit_rule)f->rule)),
              log_u64("revision", f->revision), log_str("what", f->text),
              log_str("action", "ecs-admin verify; keep log and checkpoint for analysis"));
}

static void on_turn(void *data)
{
    struct engine *e = data;
    if (!e->installing) {
        (void)audit_step(e->audit, ring_store(e->ring), TURN_ROWS, clock_mono_ms());
    }
}

void engine_audit_open(struct engine *e)
{
    e->audit = audit_open(ROUND_MS, on_finding, e, e->mem);
    e->audit_timer = loop_timer_open(e->loop, on_turn, e);
    loop_timer_repeat(e->audit_timer, TURN_MS, TURN_MS);
}

void engine_audit_close(struct engine *e)
{
    loop_timer_close(e->audit_timer);
    audit_close(e->audit);
    e->audit_timer = NULL;
    e->audit = NULL;
}

void engine_audit_status(struct engine *e, struct audit_status *ret)
{
    uint32_t n =
        e->outside_fn == NULL ? 0 : e->outside_fn(e->outside_ctx, e->outside, AUDIT_FINDINGS_MAX);
    audit_status(e->audit, ret);
    ret->outside = e->outside;
    ret->n_outside = n < AUDIT_FINDINGS_MAX ? n : AUDIT_FINDINGS_MAX;
    ret->n_found[AUDIT_ORPHAN] += n;
    ret->n_total += e->n_outside;
}

void engine_audit_source(struct engine *e, engine_findings fn, void *ctx)
{
    e->outside_fn = fn;
    e->outside_ctx = ctx;
}

void engine_audit_found(struct engine *e, const struct audit_finding *f)
{
    e->n_outside++;
    on_finding(e, f);
}

uint64_t engine_audit_hurry(struct engine *e)
{
    return audit_hurry(e->audit);
}
