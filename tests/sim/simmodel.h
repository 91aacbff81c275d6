/* tests/sim/simmodel.h
 *
 * An independent idea of what the state may do, fed with every change in the order of the log by
 * whichever controller applies it first; the others must reach the same digests. */
#ifndef TESTS_SIM_SIMMODEL_H
#define TESTS_SIM_SIMMODEL_H

#include "controller/core/store.h"
#include "controller/ring/ring.h"
#include "tests/sim/fleet_impl.h"

struct simmodel *simmodel_new(struct fleet *f);
void simmodel_free(struct simmodel *m);

void simmodel_changed(struct fleet *f, unsigned node, const struct store *store,
                      const struct changes *changes);

/* Everything up to the point is applied on this controller, or was loaded there. */
void simmodel_reached(struct fleet *f, unsigned node, const struct ring_point *point,
                      const struct store *store);
void simmodel_loaded(struct fleet *f, unsigned node, const struct ring_point *point,
                     const struct store *store);

/* Tasks that a request (by its token, which is in started_by) has made so far. */
uint32_t simmodel_made_by(const struct fleet *f, struct str started_by);

/* Highest revision that was acknowledged to anybody. */
uint64_t simmodel_acked(const struct fleet *f);
void simmodel_ack(struct fleet *f, uint64_t revision);

#endif
