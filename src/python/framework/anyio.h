/* anyio.h: keeping a cancelled scope of anyio quiet, on asyncio. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_ANYIO_H
#define CAWAIT_PYTHON_FRAMEWORK_ANYIO_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* Whether the program has imported anyio. Never raises. */
bool caw__anyio_is_loaded(caw__state *state);

/* The current task is about to wait for the coroutine's operation although it is cancelled: have its scope stop asking, if
 * it is one of anyio. The extras are there. -1 with an exception only where a signal handler raised one. */
int caw__anyio_shield(caw__coroutine *c);

/* The wait is over: leave the scope of the coroutine, if it has one. Never raises. Closed by another task than the one
 * that entered the scope, which alone can leave it, the coroutine keeps it until that one resumes. */
void caw__anyio_unshield(caw__coroutine *c);

CAW__INTERNAL_END

#endif
