/* thread_value.h: a pointer of which each thread has its own, and which is given back when the thread ends. */
#ifndef CAWAIT_CORE_OS_THREAD_VALUE_H
#define CAWAIT_CORE_OS_THREAD_VALUE_H

#include "cawait/base.h"

#include <pthread.h>

CAW__INTERNAL_BEGIN

typedef pthread_key_t caw__thread_value;

/* Make one, which is NULL in every thread. `end` is called with what a thread that ends has left in it.
 *   any-thread · no-gil · - · fails(-errno) · quiet */
static inline int
caw__thread_value_init(caw__thread_value *value, void (*end)(void *))
{
    return -pthread_key_create(value, end);
}

/* This thread's.
 *   any-thread · no-gil · - · never fails · quiet */
static inline void *
caw__thread_value_get(caw__thread_value value)
{
    return pthread_getspecific(value);
}

/* Set this thread's.
 *   any-thread · no-gil · - · fails(-errno) · quiet */
static inline int
caw__thread_value_set(caw__thread_value value, void *pointer)
{
    return -pthread_setspecific(value, pointer);
}

CAW__INTERNAL_END

#endif
