/* Tags of anything that has some. */
#include "controller/core/store_impl.h"

/* The tags of the row a command names, or NULL and a rejection. Slot and name must agree: the slot
 * may belong to another object by now. */
static struct tags *find_tags(const struct store *s, const struct cmd_tags *c, struct result *r)
{
    void *row = c->kind < KIND_N && c->kind != 0 ? store_at(s, c->kind, c->slot) : NULL;
    struct cluster *cluster = row;
    struct taskdef *taskdef = row;
    struct service *service = row;
    struct node *node = row;
    struct task *task = row;
    struct capacity_provider *provider = row;
    if (row != NULL && c->kind == KIND_CLUSTER && str_eq(cluster->name, c->name)) {
        return &cluster->tags;
    }
    if (row != NULL && c->kind == KIND_TASKDEF && str_eq(taskdef->family, c->name) &&
        taskdef->revision == c->revision) {
        return &taskdef->tags;
    }
    if (row != NULL && c->kind == KIND_SERVICE && str_eq(service->name, c->name)) {
        return &service->tags;
    }
    if (row != NULL && c->kind == KIND_NODE && id_eq(node->id, c->id)) {
        return &node->tags;
    }
    if (row != NULL && c->kind == KIND_TASK && id_eq(task->id, c->id)) {
        return &task->tags;
    }
    if (row != NULL && c->kind == KIND_CAPACITY_PROVIDER && str_eq(provider->name, c->name)) {
        return &provider->tags;
    }
    store_reject(r, REJECT_TARGET_NOT_FOUND, "The specified resource was not found.");
    return NULL;
}

static uint32_t find_key(const struct tag *v, uint32_t n, struct str key)
{
    uint32_t i = 0;
    while (i < n && !str_eq(v[i].key, key)) {
        i++;
    }
    return i;
}

/* Put a copy of v in the place of *tags, whose texts it may still use. */
static void set_tags(struct store *s, struct tags *tags, const struct tag *v, uint32_t n)
{
    struct tags copy = {n == 0 ? NULL : mem_alloc(s->mem, n * sizeof *v), n};
    for (uint32_t i = 0; i < n; i++) {
        store_set_text(s, &copy.v[i].key, v[i].key, LIMIT_TAG_KEY);
        store_set_text(s, &copy.v[i].value, v[i].value, LIMIT_TAG_VALUE);
    }
    for (uint32_t i = 0; i < tags->n; i++) {
        store_set_text(s, &tags->v[i].key, (struct str){NULL, 0}, 0);
        store_set_text(s, &tags->v[i].value, (struct str){NULL, 0}, 0);
    }
    mem_free(s->mem, tags->v, tags->n * sizeof *tags->v);
    *tags = copy;
}

static bool check_tags(const struct tags *tags, struct result *r)
{
    for (uint32_t i = 0; i < tags->n; i++) {
        if (tags->v[i].key.n == 0 || tags->v[i].key.n > LIMIT_TAG_KEY ||
            tags->v[i].value.n > LIMIT_TAG_VALUE) {
            store_reject(r, REJECT_INVALID,
                         "Keys of tags have 1 to %d characters, values at most %d.", LIMIT_TAG_KEY,
                         LIMIT_TAG_VALUE);
            return false;
        }
    }
    return true;
}

void store_tag(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_tags *c = &cmd->u.tags;
    struct tags *tags = find_tags(s, c, r);
    struct tag *v;
    uint32_t n;
    if (tags == NULL || !check_tags(&c->tags, r)) {
        return;
    }
    v = arena_array(&s->scratch, (size_t)tags->n + c->tags.n, sizeof *v);
    for (n = 0; n < tags->n; n++) {
        v[n] = tags->v[n];
    }
    for (uint32_t i = 0; i < c->tags.n; i++) {
        uint32_t at = find_key(v, n, c->tags.v[i].key);
        v[at] = c->tags.v[i];
        n = at == n ? n + 1 : n;
    }
    if (n > LIMIT_TAGS) {
        store_reject(r, REJECT_LIMIT, "At most %d tags.", LIMIT_TAGS);
        return;
    }
    set_tags(s, tags, v, n);
    r->slot = c->slot;
    store_touch(s, c->kind, c->slot);
}

void store_untag(struct store *s, const struct command *cmd, struct result *r)
{
    const struct cmd_tags *c = &cmd->u.tags;
    struct tags *tags = find_tags(s, c, r);
    struct tag *v;
    uint32_t n = 0;
    if (tags == NULL) {
        return;
    }
    v = arena_array(&s->scratch, tags->n, sizeof *v);
    for (uint32_t i = 0; i < tags->n; i++) {
        if (find_key(c->tags.v, c->tags.n, tags->v[i].key) == c->tags.n) {
            v[n] = tags->v[i];
            n++;
        }
    }
    set_tags(s, tags, v, n);
    r->slot = c->slot;
    store_touch(s, c->kind, c->slot);
}
