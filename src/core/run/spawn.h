/* spawn.h: spawned futures, for the library itself. */
#ifndef CAWAIT_CORE_RUN_SPAWN_H
#define CAWAIT_CORE_RUN_SPAWN_H

#include "cawait/pool.h"

CAW__INTERNAL_BEGIN

/* Whether caw_spawn made this future.
 *   any-thread · no-gil · borrows(f) · never fails · quiet */
bool caw__is_spawned(const caw_future *f);

CAW__INTERNAL_END

#endif
