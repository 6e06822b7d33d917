/* pool_exit.h: a pool takes part in exit() from its first use on. */
#ifndef CAWAIT_CORE_RUN_POOL_EXIT_H
#define CAWAIT_CORE_RUN_POOL_EXIT_H

#include "core/run/pool.h"

CAW__INTERNAL_BEGIN

/* Before something is queued: see to it that exit() knows the pool.
 *   any-thread · no-gil · borrows(pool) · fails(CAW_ENOMEM, -errno) · quiet */
int caw__pool_watch_exit(caw_pool *pool);

CAW__INTERNAL_END

#endif
