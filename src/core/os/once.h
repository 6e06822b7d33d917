/* once.h: a function that is called once in a process, whichever thread comes first. */
#ifndef CAWAIT_CORE_OS_ONCE_H
#define CAWAIT_CORE_OS_ONCE_H

#include "cawait/base.h"

#include <pthread.h>

CAW__INTERNAL_BEGIN

typedef pthread_once_t caw__once;

#define CAW__ONCE_INIT PTHREAD_ONCE_INIT

/* Call it unless that was done; on return it has ended, and what it wrote is visible.
 *   any-thread · no-gil · borrows(once) · fails(-errno) · calls the function */
static inline int
caw__once_call(caw__once *once, void (*function)(void))
{
    return -pthread_once(once, function);
}

CAW__INTERNAL_END

#endif
