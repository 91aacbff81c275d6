#include "agent/core/check.h"

#include "agent/core/limits.h"

#include <assert.h>
#include <string.h>

_Static_assert(LIMIT_CONTAINERS <= 32, "sets of containers are bits of a uint32_t");

uint32_t spec_find(const struct task_spec *spec, const char *name)
{
    uint32_t i = 0;
    while (i < spec->n_containers && strcmp(spec->containers[i].name, name) != 0) {
        i++;
    }
    return i;
}

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > SPEC_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* The n-th reference of a container to another: dependsOn first, then links, then volumesFrom. */
static const char *reference(const struct container_spec *c, uint32_t n,
                             enum spec_condition *ret_condition, const char **ret_field)
{
    *ret_condition = SPEC_COND_START;
    if (n < c->n_depends_on) {
        *ret_condition = c->depends_on[n].condition;
        *ret_field = "dependsOn";
        return c->depends_on[n].container;
    }
    n -= c->n_depends_on;
    if (n < c->n_links) {
        *ret_field = "links";
        return c->links[n].container;
    }
    n -= c->n_links;
    if (n < c->n_volumes_from) {
        *ret_field = "volumesFrom";
        return c->volumes_from[n].container;
    }
    return NULL;
}

static int check_references(const struct task_spec *spec, uint32_t i, uint32_t *n_edges,
                            struct err *err)
{
    const struct container_spec *c = &spec->containers[i];
    enum spec_condition condition;
    const char *field;
    const char *name;
    for (uint32_t k = 0; (name = reference(c, k, &condition, &field)) != NULL; k++) {
        uint32_t on = spec_find(spec, name);
        if (on == spec->n_containers) {
            return err_set(err, ERR_INVALID, "container '%s': %s names '%s', which is not there",
                           c->name, field, name);
        }
        if (on == i) {
            return err_set(err, ERR_INVALID, "container '%s': %s names itself", c->name, field);
        }
        if (condition == SPEC_COND_HEALTHY && spec->containers[on].health.n_command == 0) {
            return err_set(err, ERR_INVALID,
                           "container '%s': waits for '%s' to be HEALTHY, which has no health "
                           "check",
                           c->name, name);
        }
        if (*n_edges == LIMIT_EDGES) {
            return err_set(err, ERR_INVALID, "more than %d dependencies", LIMIT_EDGES);
        }
        (*n_edges)++;
    }
    return 0;
}

uint32_t spec_edges(const struct task_spec *spec, struct spec_edge *ret)
{
    uint32_t n = 0;
    enum spec_condition condition;
    const char *field;
    const char *name;
    for (uint32_t i = 0; i < spec->n_containers; i++) {
        for (uint32_t k = 0;
             (name = reference(&spec->containers[i], k, &condition, &field)) != NULL; k++) {
            assert(n < LIMIT_EDGES);
            ret[n].from = (uint8_t)i;
            ret[n].on = (uint8_t)spec_find(spec, name);
            ret[n].condition = (uint8_t)condition;
            n++;
        }
    }
    return n;
}

/* Take away what waits for nothing that is left, until nothing changes: what then remains waits
 * for itself. */
static int check_cycles(const struct task_spec *spec, struct err *err)
{
    struct spec_edge edges[LIMIT_EDGES];
    uint32_t n = spec_edges(spec, edges);
    uint32_t left = spec->n_containers == 32 ? UINT32_MAX : (1u << spec->n_containers) - 1;
    uint32_t before = 0;
    while (left != before) {
        uint32_t waiting = 0;
        before = left;
        for (uint32_t i = 0; i < n; i++) {
            if ((left >> edges[i].on & 1) != 0) {
                waiting |= 1u << edges[i].from;
            }
        }
        left &= waiting;
    }
    for (uint32_t i = 0; i < spec->n_containers; i++) {
        if ((left >> i & 1) != 0) {
            return err_set(err, ERR_INVALID, "container '%s': waits for itself in a circle",
                           spec->containers[i].name);
        }
    }
    return 0;
}

static int check_container(const struct task_spec *spec, uint32_t i, struct err *err)
{
    const struct container_spec *c = &spec->containers[i];
    if (!name_ok(c->name)) {
        return err_set(err, ERR_INVALID,
                       "containers[%u].name: must be 1 to %d letters, digits, '_' or '-'", i,
                       SPEC_NAME_MAX);
    }
    if (spec_find(spec, c->name) != i) {
        return err_set(err, ERR_INVALID, "container '%s': the name is used twice", c->name);
    }
    if (c->image[0] == '\0') {
        return err_set(err, ERR_INVALID, "container '%s': no image", c->name);
    }
    for (uint32_t k = 0; k < c->n_ports; k++) {
        if (c->ports[k].container_port == 0) {
            return err_set(err, ERR_INVALID, "container '%s': container port 0", c->name);
        }
    }
    return 0;
}

int spec_check(const struct task_spec *spec, struct err *err)
{
    uint32_t n_edges = 0;
    bool essential = false;
    if (spec->n_containers == 0 || spec->n_containers > LIMIT_CONTAINERS) {
        return err_set(err, ERR_INVALID, "containers: must be 1 to %d", LIMIT_CONTAINERS);
    }
    for (uint32_t i = 0; i < spec->n_containers; i++) {
        int rv = check_container(spec, i, err);
        if (rv == 0) {
            rv = check_references(spec, i, &n_edges, err);
        }
        if (rv != 0) {
            return rv;
        }
        essential = essential || spec->containers[i].essential;
    }
    if (!essential) {
        return err_set(err, ERR_INVALID, "containers: at least one must be essential");
    }
    return check_cycles(spec, err);
}
