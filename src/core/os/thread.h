/* thread.h: starting a native thread, with signals blocked, and waiting for its end. */
#ifndef CAWAIT_CORE_OS_THREAD_H
#define CAWAIT_CORE_OS_THREAD_H

#include "cawait/base.h"

#include <pthread.h>

CAW__INTERNAL_BEGIN

typedef pthread_t caw__thread;

/* Start a joinable thread with all signals blocked: a signal of the program is for the program's own threads. Only
 * those that a fault of the thread itself raises are let through, so that a crash is reported like any other.
 *   any-thread · no-gil · borrows(argument) · fails(-errno) · quiet */
int caw__thread_start(void *(*entry)(void *), void *argument, caw__thread *out);

/* Wait for its end; or let it go, to end by itself. One of the two, once.
 *   any-thread · no-gil · takes(thread) · never fails · quiet */
static inline void
caw__thread_join(caw__thread thread)
{
    (void)pthread_join(thread, NULL);
}

static inline void
caw__thread_detach(caw__thread thread)
{
    (void)pthread_detach(thread);
}

/* The thread that calls this; and whether a thread is that one.
 *   any-thread · no-gil · - · never fails · quiet */
static inline caw__thread
caw__thread_current(void)
{
    return pthread_self();
}

static inline bool
caw__thread_is_current(caw__thread thread)
{
    return pthread_equal(thread, pthread_self()) != 0;
}

/* A number that no other thread has while this one lives.
 *   any-thread · no-gil · - · never fails · quiet */
static inline uintptr_t
caw__thread_number(void)
{
    return (uintptr_t)pthread_self();
}

/* Let another thread have the processor.
 *   any-thread · no-gil · - · never fails · quiet */
void caw__thread_yield(void);

CAW__INTERNAL_END

#endif
