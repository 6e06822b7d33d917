/* pool.h: what a pool offers to the things that run on it: blocking.c, one call; defer.c, a call that frees its own
 * place; spawn.c, a future, a "task", polled whenever it is woken, and the reactor that tasks use. */
#ifndef CAWAIT_CORE_RUN_POOL_H
#define CAWAIT_CORE_RUN_POOL_H

#include "core/run/workers.h"

CAW__INTERNAL_BEGIN

/* Queue a call.
 *   any-thread · no-gil · - · fails(CAW_ECLOSED, CAW_EFORKED, -errno) · wakes */
int caw__pool_submit(caw_pool *pool, caw_work *w);

/* Take a call out of the queue. False when it is not there: it runs, or did. The same where it waits for room.
 *   any-thread · no-gil · - · never fails · quiet */
bool caw__pool_withdraw(caw_pool *pool, caw_work *w);
bool caw__pool_withdraw_waiting(caw_pool *pool, caw_work *w);

/* Interrupt a call that runs, or whichever runs (NULL), where the pool can do that.
 *   any-thread · no-gil · borrows(w) · never fails · calls-user */
void caw__pool_interrupt(caw_pool *pool, const caw_work *w);

/* Have all that sleeps look again: workers in a call of the library, and tasks, which are cancelled.
 *   pool's lock · no-gil · - · never fails · wakes */
void caw__pool_wake_all(caw_pool *pool);

/* Close the pool. `stops`: empty the queue of calls, but for those to be finished; else of those that wait for room.
 * All tasks are queued, so that each is stopped. Under the pool's lock. Returns the calls, linked by next. Cancel
 * these, without the lock, and interrupt what runs, if the pool has stopped.
 *   any-thread · no-gil · borrows(pool) / takes(calls) · never fails · quiet / wakes, calls-user */
caw_work *caw__pool_shut(caw_pool *pool, bool stops);
void caw__pool_cancel(caw_pool *pool, caw_work *calls);

/* Make the parts of a pool of so many threads, in memory that is zero, with one handle.
 *   init · no-gil · borrows(pool) · fails(CAW_ENOMEM, -errno) · quiet */
int caw__pool_init(caw_pool *pool, unsigned threads);

CAW__INTERNAL_END

#endif
