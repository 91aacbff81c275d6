/* common/base/sm.h
 *
 * A lifecycle as a table of states and the moves each allows. Pure. */
#ifndef COMMON_BASE_SM_H
#define COMMON_BASE_SM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define SM_BIT(state) (1u << (state))

struct sm_state {
    const char *name;
    uint32_t next; /* SM_BIT() of every state that may follow. */
};

static inline bool sm_may(const struct sm_state *states, int from, int to)
{
    return (states[from].next & SM_BIT(to)) != 0;
}

/* Move *state, asserting that the table allows it. */
static inline void sm_move(const struct sm_state *states, int *state, int to)
{
    assert(sm_may(states, *state, to));
    *state = to;
}

#endif
