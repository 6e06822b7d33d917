/* sleep.h: futures that wait for a time. */
#ifndef CAWAIT_CORE_REACTOR_SLEEP_H
#define CAWAIT_CORE_REACTOR_SLEEP_H

#include "core/reactor/wait.h"

CAW__INTERNAL_BEGIN

/* The wait whose timer this is.
 *   locked · no-gil · returns-borrowed · never fails · quiet */
caw__wait *caw__sleep_wait(caw__timer *timer);

CAW__INTERNAL_END

#endif
