/* pool.h: what a pool offers to the things that run on it: blocking.c, one call; defer.c, a call that frees its own
 * place; spawn.c, a future, a "task", polled whenever it is woken, and the reactor that tasks use. */
#ifndef CAWAIT_CORE_RUN_POOL_H
#define CAWAIT_CORE_RUN_POOL_H

#include "core/run/workers.h"

CAW__INTERNAL_BEGIN

/* Queue a call.
 *   any-thread · no-gil · - · fails(CAW_ECLOSED, CAW_EFORKED, -errno) · wakes */
int caw__pool_submit(caw_pool *pool, caw_work *w);

/* Take a call out of the queue. False when it is not there: it runs, or did.
 *   any-thread · no-gil · - · never fails · quiet */
bool caw__pool_withdraw(caw_pool *pool, caw_work *w);

/* Have all that sleeps look again: workers in a call of the library, and tasks, which are cancelled.
 *   pool's lock · no-gil · - · never fails · wakes */
void caw__pool_wake_all(caw_pool *pool);

/* Empty the queue of calls, but for those to be finished, and queue all tasks, so that each is stopped: under the
 * pool's lock. Returns the calls, linked by next; and cancel these.
 *   any-thread · no-gil · borrows(pool) / takes(calls) · never fails · quiet / wakes */
caw_work *caw__pool_stop(caw_pool *pool);
void caw__pool_cancel(caw_work *calls);

CAW__INTERNAL_END

#endif
