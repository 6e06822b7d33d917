/* condition.h: to wait for a change of what a mutex guards. */
#ifndef CAWAIT_CORE_OS_CONDITION_H
#define CAWAIT_CORE_OS_CONDITION_H

#include "core/os/clock.h"
#include "core/os/compiler.h"
#include "core/os/mutex.h"

CAW__INTERNAL_BEGIN

typedef pthread_cond_t caw__condition;

/* Make one; and end one that nobody waits for.
 *   init · no-gil · borrows(condition) · init fails(-errno), fini never · quiet */
static inline int
caw__condition_init(caw__condition *condition)
{
#if CAW__HAS_CONDITION_CLOCK
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error) {
        return -error;
    }
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return -error;
#else
    return -pthread_cond_init(condition, NULL);
#endif
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

/* The same, no longer than until this time of caw__now_ns. False: it has come.
 *   any-thread, with the mutex · no-gil · borrows(both) · never fails · quiet */
static inline bool
caw__condition_wait_until(caw__condition *condition, caw__mutex *mutex, uint64_t deadline)
{
    uint64_t now = caw__now_ns();
    if (now >= deadline) {
        return false;
    }
#if CAW__HAS_CONDITION_CLOCK
    uint64_t at = deadline;
#else
    uint64_t at = deadline - now; /* it counts from now */
#endif
    uint64_t most = UINT64_C(4000000000); /* seconds: where time_t is short, a wait ends without a reason */
    struct timespec time = {.tv_sec = (time_t)(at / 1000000000u < most ? at / 1000000000u : most),
                            .tv_nsec = (long)(at % 1000000000u)};
#if CAW__HAS_CONDITION_CLOCK
    (void)pthread_cond_timedwait(condition, mutex, &time);
#else
    (void)pthread_cond_timedwait_relative_np(condition, mutex, &time);
#endif
    return true;
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
