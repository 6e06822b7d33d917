/* workers.h: the threads of a pool; see workers.c. */
#ifndef CAWAIT_CORE_RUN_WORKERS_H
#define CAWAIT_CORE_RUN_WORKERS_H

#include "core/run/pool_base.h"

CAW__INTERNAL_BEGIN

/* Queue a job where that may fail. 1: the caller then starts a thread, by caw__pool_start, after the lock. A task that
 * is queued again is put into the queue as it is, closing or not, and without a new thread, because there is one awake
 * as long as there are tasks.
 *   pool's lock · no-gil · borrows(w) · fails(CAW_ECLOSED, -EAGAIN) · quiet */
int caw__pool_offer(caw_pool *pool, caw_work *w);

/* Start the thread that was announced. An error when there is none and none is awake that could run the job: then the
 * job is not queued any more, and what else was queued is refused.
 *   any-thread, without the lock · no-gil · borrows(own) · fails(-errno) · wakes */
int caw__pool_start(caw_pool *pool, caw_work *own);

/* Start the thread of a serial pool, which nobody else knows yet.
 *   init · no-gil · borrows(pool) · fails(-errno) · quiet */
int caw__pool_start_serial(caw_pool *pool);

/* Whether this thread is a worker of the pool.
 *   any-thread · no-gil · borrows(pool) · never fails · quiet */
bool caw__pool_is_worker(const caw_pool *pool);

/* Whether this thread, which polls something that this pool has to do, waits in vain: it is the only one that would do
 * it, and sleeps.
 *   any-thread · no-gil · borrows(pool) · never fails · quiet */
bool caw__pool_is_vain(const caw_pool *pool);

CAW__INTERNAL_END

#endif
