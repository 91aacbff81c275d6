#include "controller/codec/convert.h"
#include "controller/codec/taskdef_int.h"
#include "controller/core/limits.h"

#include <string.h>

static int find_container(const struct taskdef *def, const char *name)
{
    for (uint32_t i = 0; i < def->n_containers; i++) {
        if (str_eqc(def->containers[i].name, name == NULL ? "" : name)) {
            return (int)i;
        }
    }
    return -1;
}

static int check_container(const Ecs__Log__V1__ContainerOverride *o, struct err *err)
{
    if ((o->has_memory && o->memory < CONTAINER_MEMORY_MIN) ||
        (o->has_memory_reservation && o->memory_reservation < CONTAINER_MEMORY_MIN) ||
        (o->has_cpu && (o->cpu < 0 || o->cpu > 196608))) {
        return err_set(err, ERR_INVALID,
                       "Invalid override for container '%s'. 'memory' and 'memoryReservation' must "
                       "be at least %d MiB, 'cpu' from 0 to 196608.",
                       o->name, CONTAINER_MEMORY_MIN);
    }
    for (size_t i = 0; i < o->n_environment; i++) {
        const char *name = o->environment[i]->name;
        if (name == NULL || *name == '\0' || strchr(name, '=') != NULL) {
            return err_set(err, ERR_INVALID,
                           "Invalid override for container '%s'. The name of an environment "
                           "variable must not be empty nor contain '='.",
                           o->name);
        }
    }
    return 0;
}

/* What the containers reserve, one of them overridden. */
struct sums {
    uint32_t cpu[LIMIT_CONTAINERS];
    uint32_t memory[LIMIT_CONTAINERS];
    uint32_t reservation[LIMIT_CONTAINERS];
    uint32_t gpus[LIMIT_CONTAINERS];
};

static int apply_container(const struct taskdef *def, const Ecs__Log__V1__ContainerOverride *o,
                           struct sums *sums, uint32_t *seen, struct err *err)
{
    int at = find_container(def, o->name);
    int rv;
    if (at < 0) {
        return err_set(err, ERR_INVALID,
                       "Override for container named %s is not a container in the TaskDefinition.",
                       o->name == NULL ? "" : o->name);
    }
    if ((*seen & 1u << at) != 0) {
        return err_set(err, ERR_INVALID, "There are two overrides for the container named %s.",
                       o->name);
    }
    *seen |= 1u << at;
    rv = check_container(o, err);
    if (rv != 0) {
        return rv;
    }
    if (o->has_cpu) {
        sums->cpu[at] = (uint32_t)o->cpu;
    }
    if (o->has_memory) {
        sums->memory[at] = (uint32_t)o->memory;
    }
    if (o->has_memory_reservation) {
        sums->reservation[at] = (uint32_t)o->memory_reservation;
    }
    if (o->n_resource_requirements > 0) {
        return taskdef_parse_gpus(o->resource_requirements, o->n_resource_requirements,
                                  &sums->gpus[at], err);
    }
    return 0;
}

/* The task's own numbers win over the sums of the containers, an override over the definition. */
static int add_up(const struct taskdef *def, const Ecs__Log__V1__TaskOverride *o,
                  const struct sums *sums, struct arena *a, struct task_shape *to, struct err *err)
{
    Ecs__Log__V1__TaskDefinitionSpec *spec;
    uint64_t cpu = 0;
    uint64_t memory = 0;
    int rv = taskdef_spec(def, a, &spec, err);
    if (rv != 0) {
        return rv;
    }
    to->gpus = 0;
    for (uint32_t i = 0; i < def->n_containers; i++) {
        cpu += sums->cpu[i];
        memory += sums->reservation[i] != 0 ? sums->reservation[i] : sums->memory[i];
        to->gpus += sums->gpus[i];
    }
    if (o->cpu != NULL) {
        rv = taskdef_parse_cpu(str_of(o->cpu), &to->cpu, err);
    } else if (spec->cpu == NULL) {
        to->cpu = (uint32_t)cpu;
    }
    if (rv == 0 && o->memory != NULL) {
        rv = taskdef_parse_memory(str_of(o->memory), &to->memory, err);
    } else if (rv == 0 && spec->memory == NULL) {
        to->memory = memory > UINT32_MAX ? UINT32_MAX : (uint32_t)memory;
    }
    if (rv == 0 && (cpu > to->cpu || memory > to->memory)) {
        rv = err_set(err, ERR_INVALID,
                     "Invalid overrides: the containers need %llu CPU units and %llu MiB, the task "
                     "has %u and %u.",
                     (unsigned long long)cpu, (unsigned long long)memory, to->cpu, to->memory);
    }
    return rv;
}

static int apply(const struct taskdef *def, const Ecs__Log__V1__TaskOverride *o, struct arena *a,
                 struct task_shape *to, struct err *err)
{
    struct sums sums = {0};
    uint32_t seen = 0;
    int rv = 0;
    for (uint32_t i = 0; i < def->n_containers && i < LIMIT_CONTAINERS; i++) {
        sums.cpu[i] = def->containers[i].cpu;
        sums.memory[i] = def->containers[i].memory;
        sums.reservation[i] = def->containers[i].memory_reservation;
        sums.gpus[i] = def->containers[i].gpus;
    }
    for (size_t i = 0; i < o->n_container_overrides && rv == 0; i++) {
        rv = apply_container(def, o->container_overrides[i], &sums, &seen, err);
    }
    return rv == 0 ? add_up(def, o, &sums, a, to, err) : rv;
}

int taskdef_apply_overrides(const struct taskdef *def, const Ecs__V1__TaskOverride *overrides,
                            struct arena *a, struct task_shape *ret, struct err *err)
{
    struct task_shape shape = {def->cpu, def->memory, def->gpus, {NULL, 0}};
    struct convert_report report = {0};
    Ecs__Log__V1__TaskOverride *o;
    int rv;
    if (overrides == NULL) {
        *ret = shape;
        return 0;
    }
    o = pbc_new(&ecs__log__v1__task_override__descriptor, a);
    rv = convert_message(&overrides->base, &o->base, a, &report, err);
    if (rv == 0 && report.n_missing > 0) {
        return err_wrap(err, taskdef_unsupported(&report, 0, err), "overrides");
    }
    if (rv == 0) {
        rv = apply(def, o, a, &shape, err);
    }
    if (rv != 0) {
        return rv;
    }
    shape.overrides = pbc_pack_arena(&o->base, a);
    if (shape.overrides.n == 0) {
        shape.overrides.p = NULL;
    }
    if (shape.overrides.n > LIMIT_OVERRIDES_BYTES) {
        return err_set(err, ERR_INVALID, "Container overrides length must be at most %d.",
                       LIMIT_OVERRIDES_BYTES);
    }
    *ret = shape;
    return 0;
}

int taskdef_overrides_to_public(struct str overrides, struct arena *a, Ecs__V1__TaskOverride **ret,
                                struct err *err)
{
    Ecs__V1__TaskOverride *to = pbc_new(&ecs__v1__task_override__descriptor, a);
    ProtobufCMessage *from;
    int rv;
    if (overrides.n > 0) {
        if (pbc_unpack(&ecs__log__v1__task_override__descriptor, overrides, a, &from, err) != 0) {
            return err_wrap(err, ERR_CORRUPT, "task overrides");
        }
        rv = convert_message(from, &to->base, a, NULL, err);
        if (rv != 0) {
            return rv;
        }
    }
    *ret = to;
    return 0;
}
