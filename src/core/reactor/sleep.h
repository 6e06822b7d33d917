/* sleep.h: futures that wait for a time. */
#ifndef CAWAIT_CORE_REACTOR_SLEEP_H
#define CAWAIT_CORE_REACTOR_SLEEP_H

#include "core/reactor/wait.h"

CAW__INTERNAL_BEGIN

/* The wait whose timer this is.
 *   locked · no-gil · returns-borrowed · never fails · quiet */
caw__wait *caw__sleep_wait(caw__timer *timer);

/* A future as that of caw_sleep, which is ready when this time has come on the clock of its reactor.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
caw_future *caw__sleep_until(uint64_t when_ns);

CAW__INTERNAL_END

#endif
