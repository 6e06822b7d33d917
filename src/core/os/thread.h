/* thread.h: how the core starts a thread. */
#ifndef CAWAIT_CORE_OS_THREAD_H
#define CAWAIT_CORE_OS_THREAD_H

#include "cawait/base.h"

#include <pthread.h>

CAW__INTERNAL_BEGIN

/* Start a joinable thread with all signals blocked: a signal of the program is for the program's own threads. Only
 * those that a fault of the thread itself raises are let through, so that a crash is reported like any other.
 *   any-thread · no-gil · borrows(argument) · fails(-errno) · quiet */
int caw__thread_start(void *(*entry)(void *), void *argument, pthread_t *out);

CAW__INTERNAL_END

#endif
