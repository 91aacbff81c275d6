/* Is what is derived what the rows say? A second store is loaded from the rows and compared. */
#include "controller/core/store_impl.h"

#include <string.h>

static int load_copy(const struct store *s, struct store *copy, struct err *err)
{
    for (unsigned kind = 1; kind < KIND_N; kind++) {
        for (uint32_t slot = 0; slot < s->tables[kind].high; slot++) {
            const void *row = store_at(s, kind, slot);
            int rv = row == NULL ? 0 : store_load_row(copy, kind, slot, row, err);
            if (rv != 0) {
                return rv;
            }
        }
    }
    return store_load_done(copy, err);
}

/* Counters and the ends of families' lists; the order of lists of tasks is free. */
static int check_counters(const struct store *s, const struct store *copy, enum kind kind,
                          uint32_t slot, struct err *err)
{
    const struct schema *schema = schema_of_kind(kind);
    const char *a = store_at(s, kind, slot);
    const char *b = store_at(copy, kind, slot);
    for (uint32_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        uint32_t here;
        uint32_t there;
        if (!f->derived || f->type != FIELD_U32 || strcmp(f->name, "first_task") == 0) {
            continue;
        }
        memcpy(&here, a + f->offset, sizeof here);
        memcpy(&there, b + f->offset, sizeof there);
        if (here != there) {
            return err_set(err, ERR_INTERNAL, "%s %u: %s is %u, the rows say %u", schema->name,
                           slot, f->name, here, there);
        }
    }
    return 0;
}

static int check_rows(const struct store *s, const struct store *copy, enum kind kind,
                      struct err *err)
{
    if (s->tables[kind].n != copy->tables[kind].n ||
        (kind != KIND_META && s->index[kind].map.n != s->tables[kind].n)) {
        return err_set(err, ERR_INTERNAL, "%s: %u rows, %u in the index",
                       schema_of_kind(kind)->name, s->tables[kind].n, s->index[kind].map.n);
    }
    for (uint32_t slot = 0; slot < s->tables[kind].high; slot++) {
        const void *row = store_at(s, kind, slot);
        if (row == NULL) {
            continue;
        }
        if (kind != KIND_META && store_lookup(s, kind, store_key_of(kind, row)) != slot) {
            return err_set(err, ERR_INTERNAL, "%s %u: not found by its key",
                           schema_of_kind(kind)->name, slot);
        }
        if (check_counters(s, copy, kind, slot, err) != 0) {
            return ERR_INTERNAL;
        }
    }
    return 0;
}

/* Walk one list of tasks: linked both ways, all of this owner. */
static int check_list(const struct store *s, uint32_t first, uint32_t owner, bool of_service,
                      uint32_t *n, struct err *err)
{
    uint32_t before = SLOT_NONE;
    uint32_t slot = first;
    while (slot != SLOT_NONE) {
        const struct task *t = store_at(s, KIND_TASK, slot);
        const struct task_links *links;
        if (t == NULL || (of_service ? t->service : t->node) != owner) {
            return err_set(err, ERR_INTERNAL, "task %u is in the list of %s %u", slot,
                           of_service ? "service" : "node", owner);
        }
        links = of_service ? &t->in_service : &t->on_node;
        (*n)++;
        if (links->prev != before || *n > s->tables[KIND_TASK].n) {
            return err_set(err, ERR_INTERNAL, "task %u: broken list", slot);
        }
        before = slot;
        slot = links->next;
    }
    return 0;
}

static int check_lists(const struct store *s, struct err *err)
{
    uint32_t in_service = 0;
    uint32_t on_node = 0;
    uint32_t wanted = 0;
    int rv = 0;
    for (uint32_t i = 0; rv == 0 && i < s->tables[KIND_SERVICE].high; i++) {
        const struct service *v = store_at(s, KIND_SERVICE, i);
        rv = v == NULL ? 0 : check_list(s, v->first_task, i, true, &in_service, err);
    }
    for (uint32_t i = 0; rv == 0 && i < s->tables[KIND_NODE].high; i++) {
        const struct node *v = store_at(s, KIND_NODE, i);
        rv = v == NULL ? 0 : check_list(s, v->first_task, i, false, &on_node, err);
    }
    for (uint32_t i = 0; i < s->tables[KIND_TASK].high; i++) {
        const struct task *t = store_at(s, KIND_TASK, i);
        wanted += t != NULL && t->service != SLOT_NONE;
    }
    if (rv == 0 && (in_service != wanted || on_node != s->tables[KIND_TASK].n)) {
        return err_set(err, ERR_INTERNAL, "lists hold %u and %u tasks instead of %u and %u",
                       in_service, on_node, wanted, s->tables[KIND_TASK].n);
    }
    return rv;
}

static int check_queue(const struct store *s, const struct store *copy, enum kind kind,
                       struct err *err)
{
    uint32_t a = s->gc[kind].first;
    uint32_t b = copy->gc[kind].first;
    int64_t last = INT64_MIN;
    while (a != SLOT_NONE && b != SLOT_NONE) {
        int64_t time = store_gc_time(kind, store_at(s, kind, a));
        if (time < last || time != store_gc_time(kind, store_at(copy, kind, b))) {
            break;
        }
        last = time;
        a = store_gc_links(s, kind, a)->next;
        b = store_gc_links(copy, kind, b)->next;
    }
    if (a != SLOT_NONE || b != SLOT_NONE) {
        return err_set(err, ERR_INTERNAL, "%s: wrong queue of rows to remove",
                       schema_of_kind(kind)->name);
    }
    return 0;
}

static int check_ports(const struct store *s, const struct store *copy, struct err *err)
{
    for (uint32_t slot = 0; slot < s->n_ports; slot++) {
        for (unsigned proto = 0; proto < PROTO_N; proto++) {
            const struct portset *a = &s->ports[slot].held[proto];
            static const struct portset none;
            const struct portset *b = slot < copy->n_ports ? &copy->ports[slot].held[proto] : &none;
            if (a->n != b->n ||
                (a->n > 0 && memcmp(a->ports, b->ports, a->n * sizeof *a->ports) != 0)) {
                return err_set(err, ERR_INTERNAL, "node %u: ports held are not those of its tasks",
                               slot);
            }
        }
    }
    return 0;
}

static int compare(const struct store *s, const struct store *copy, struct err *err)
{
    for (unsigned kind = 1; kind < KIND_N; kind++) {
        int rv = check_rows(s, copy, kind, err);
        if (rv == 0 && kind != KIND_FAMILY && kind != KIND_META) {
            rv = check_queue(s, copy, kind, err);
        }
        if (rv != 0) {
            return rv;
        }
    }
    if (check_lists(s, err) != 0) {
        return ERR_INTERNAL;
    }
    return check_ports(s, copy, err);
}

int store_check(const struct store *s, struct err *err)
{
    struct store *copy = store_make(s->mem);
    int rv = load_copy(s, copy, err);
    if (rv == 0) {
        rv = compare(s, copy, err);
    }
    store_close(copy);
    return rv;
}
