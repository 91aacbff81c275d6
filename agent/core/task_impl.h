/* agent/core/task_impl.h
 *
 * Shared by the files of task.h, for nobody else. Pure. */
#ifndef AGENT_CORE_TASK_IMPL_H
#define AGENT_CORE_TASK_IMPL_H

#include "agent/core/task.h"

#include <stdarg.h>

/* The record changed: it is to be journalled and reported. */
void task_touch(struct task *t);

void task_move(struct task *t, int phase);
void task_container_move(struct task *t, struct container *c, int phase);

/* The container's life is over, at now unless its end is known. */
void task_container_end(struct task *t, uint32_t i, const struct moment *now);

/* Reasons are said once: the first cause stays. */
__attribute__((format(printf, 2, 3))) void task_reason_set(char *reason, const char *fmt, ...);

#endif
