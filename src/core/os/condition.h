/* condition.h: to wait for a change of what a mutex guards. */
#ifndef CAWAIT_CORE_OS_CONDITION_H
#define CAWAIT_CORE_OS_CONDITION_H

#include "core/os/mutex.h"

CAW__INTERNAL_BEGIN

typedef pthread_cond_t caw__condition;

/* Make one; and end one that nobody waits for.
 *   init · no-gil · borrows(condition) · init fails(-errno), fini never · quiet */
static inline int
caw__condition_init(caw__condition *condition)
{
    return -pthread_cond_init(condition, NULL);
}

static inline void
caw__condition_fini(caw__condition *condition)
{
    (void)pthread_cond_destroy(condition);
}

/* Give the mutex back, sleep, and take it again. May return without a reason: wait in a loop.
 *   any-thread, with the mutex · no-gil · borrows(both) · never fails · quiet */
static inline void
caw__condition_wait(caw__condition *condition, caw__mutex *mutex)
{
    (void)pthread_cond_wait(condition, mutex);
}

/* Wake one that waits; or all of them.
 *   any-thread · no-gil · borrows(condition) · never fails · quiet */
static inline void
caw__condition_signal(caw__condition *condition)
{
    (void)pthread_cond_signal(condition);
}

static inline void
caw__condition_broadcast(caw__condition *condition)
{
    (void)pthread_cond_broadcast(condition);
}

CAW__INTERNAL_END

#endif
