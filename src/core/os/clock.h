/* clock.h: what time it is. */
#ifndef CAWAIT_CORE_OS_CLOCK_H
#define CAWAIT_CORE_OS_CLOCK_H

#include "cawait/base.h"

#include <time.h>

CAW__INTERNAL_BEGIN

/* Nanoseconds, monotonic, from an arbitrary start.
 *   any-thread · no-gil · - · never fails · quiet */
static inline uint64_t
caw__now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

CAW__INTERNAL_END

#endif
