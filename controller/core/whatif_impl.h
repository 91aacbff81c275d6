/* controller/core/whatif_impl.h
 *
 * The inside of struct whatif, shared by whatif*.c alone. */
#ifndef CONTROLLER_CORE_WHATIF_IMPL_H
#define CONTROLLER_CORE_WHATIF_IMPL_H

#include "controller/core/leader_impl.h"
#include "controller/core/whatif.h"

/* What the steps so far made of a service. */
struct service_now {
    struct service row; /* A copy, with desired count and task definition as they would be. */
    uint32_t n_missing; /* Tasks that found no room. */
};

/* Tasks that a step placed. */
struct planned {
    uint32_t service; /* SLOT_NONE: of a RunTask. */
    uint32_t view_slot;
    uint32_t count; /* 0: stopped again. */
    struct view_take take;
};

/* The target of an item on a node of the view. */
struct target_at {
    uint32_t stamp; /* Of the item it belongs to. */
    uint32_t index;
};

struct whatif {
    struct leader *l;
    const struct mem *mem;
    uint32_t cluster;
    struct view *view;
    struct arena *arena;
    struct arena scratch;        /* Of one placement. */
    struct target_at *target_at; /* By view slot. */
    uint32_t n_target_at;
    uint32_t stamp; /* The last one given out. */
    uint8_t *gone;  /* By task slot: stopped by a step. */
    uint32_t n_tasks;
    struct service_now **services; /* By slot; NULL: as in the store. */
    uint32_t n_services;
    struct planned *planned;
    uint32_t n_planned;
    uint32_t cap_planned;
    uint32_t n_new;     /* Nodes added. */
    uint32_t n_surveys; /* Made for items that lacked room. */
};

/* What one item is given, one item at a time. */
struct targets {
    uint32_t stamp;
    uint32_t cap;
};

struct targets whatif_targets(struct whatif *w);

struct whatif_totals whatif_totals_of(const struct whatif *w);
struct service_now *whatif_service_now(struct whatif *w, uint32_t slot);

/* Was the task of the store stopped by a step? It was, from now on. */
bool whatif_is_gone(const struct whatif *w, uint32_t task);
void whatif_mark_gone(struct whatif *w, uint32_t slot);

/* Tasks placed by a step, for the steps after it. */
void whatif_add_planned(struct whatif *w, uint32_t service, uint32_t view_slot, uint32_t count,
                        const struct view_take *take);

/* The next item of the result, for which there is room; where its tasks go. */
struct whatif_item *whatif_add_item(struct whatif_result *ret, uint32_t service, uint32_t n_wanted);
void whatif_add_target(struct whatif *w, struct whatif_item *item, struct targets *t,
                       const struct place_run *run);

#endif
