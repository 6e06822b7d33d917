/* held_up.h: what a thread holds up while it sleeps: the loop that it runs, and the GIL. */
#ifndef CAWAIT_PYTHON_COROUTINE_HELD_UP_H
#define CAWAIT_PYTHON_COROUTINE_HELD_UP_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* Have the core find that out, by core/base/block.h.
 *   any-thread · no-gil · - · never fails · quiet */
void caw__held_up_watch(void);

CAW__INTERNAL_END

#endif
