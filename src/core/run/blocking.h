/* blocking.h: calls of a pool, for the library itself. */
#ifndef CAWAIT_CORE_RUN_BLOCKING_H
#define CAWAIT_CORE_RUN_BLOCKING_H

#include "cawait/pool.h"

CAW__INTERNAL_BEGIN

/* Whether this is the future of a caw_work.
 *   any-thread · no-gil · borrows(f) · never fails · quiet */
bool caw__is_call(const caw_future *f);

CAW__INTERNAL_END

#endif
