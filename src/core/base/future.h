/* future.h: what operations that wait for another future have in common. */
#ifndef CAWAIT_CORE_BASE_FUTURE_H
#define CAWAIT_CORE_BASE_FUTURE_H

#include "cawait/future.h"

CAW__INTERNAL_BEGIN

/* Wait for the future in *owned, and destroy it at its end: *owned is NULL then. 0: it has ended with 0, or there is
 * none; 1: pending; below 0: the error that it has ended with.
 *   poller · no-gil · borrows(owned) · fails(the future's status) · calls-user */
int caw__future_wait(caw_future **owned, caw_context *cx);

CAW__INTERNAL_END

#endif
