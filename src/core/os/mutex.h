/* mutex.h: a lock of threads. */
#ifndef CAWAIT_CORE_OS_MUTEX_H
#define CAWAIT_CORE_OS_MUTEX_H

#include "cawait/base.h"

#include <pthread.h>

CAW__INTERNAL_BEGIN

typedef pthread_mutex_t caw__mutex;

/* For a static one, which needs no init and no fini. */
#define CAW__MUTEX_INIT PTHREAD_MUTEX_INITIALIZER

/* Make one; and end one that nobody holds.
 *   init · no-gil · borrows(mutex) · init fails(-errno), fini never · quiet */
static inline int
caw__mutex_init(caw__mutex *mutex)
{
    return -pthread_mutex_init(mutex, NULL);
}

static inline void
caw__mutex_fini(caw__mutex *mutex)
{
    (void)pthread_mutex_destroy(mutex);
}

/* Take it, waiting for it; take it if nobody holds it; give it back.
 *   any-thread · no-gil · borrows(mutex) · never fails, try_lock is false when it is held · quiet */
static inline void
caw__mutex_lock(caw__mutex *mutex)
{
    (void)pthread_mutex_lock(mutex);
}

static inline bool
caw__mutex_try_lock(caw__mutex *mutex)
{
    return pthread_mutex_trylock(mutex) == 0;
}

static inline void
caw__mutex_unlock(caw__mutex *mutex)
{
    (void)pthread_mutex_unlock(mutex);
}

CAW__INTERNAL_END

#endif
