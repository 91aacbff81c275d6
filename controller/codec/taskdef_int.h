/* controller/codec/taskdef_int.h
 *
 * What the files about task definitions share. Internal to the codec. Pure. */
#ifndef CONTROLLER_CODEC_TASKDEF_INT_H
#define CONTROLLER_CODEC_TASKDEF_INT_H

#include "controller/codec/pbc.h"
#include "controller/codec/taskdef.h"

#define CONTAINER_MEMORY_MIN 6 /* MiB, as in ECS. */

/* Refuse what ECS refuses and what is not carried out yet. */
int taskdef_check(const Ecs__Log__V1__TaskDefinitionSpec *spec, enum network_mode mode,
                  struct arena *a, struct err *err);

/* Can Fargate's sizes hold it? Texts in CPU units and MiB. */
bool taskdef_is_fargate_size(uint32_t cpu, uint32_t memory);

/* Name the first field of a conversion that is not carried out. */
struct convert_report;
int taskdef_unsupported(const struct convert_report *report, uint32_t index, struct err *err);

/* "80" or "80-90" into a mapping's first port and number of ports. */
int taskdef_parse_ports(const Ecs__Log__V1__PortMappingSpec *p, uint32_t *ret_first,
                        uint32_t *ret_n, struct err *err);

/* GPUs among the requirements; ERR_UNSUPPORTED for anything else. */
int taskdef_parse_gpus(Ecs__Log__V1__ResourceRequirementSpec *const *v, size_t n, uint32_t *ret,
                       struct err *err);

#endif
