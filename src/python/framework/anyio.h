/* anyio.h: keeping a cancelled scope of anyio quiet, on asyncio. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_ANYIO_H
#define CAWAIT_PYTHON_FRAMEWORK_ANYIO_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* Whether the program has imported anyio. Never raises. */
bool caw__anyio_is_loaded(caw__state *state);

/* The current task is about to wait for an operation although it is cancelled: enter a shielded scope, if the task is
 * one of anyio's: in *scope a new reference, or NULL. -1 with an exception only where a signal handler raised one. */
int caw__anyio_shield(caw__state *state, PyObject **scope);

/* The wait is over: leave the scope, if there is one, and clear *scope. Never raises. By another task than the one
 * that entered the scope, which alone can leave it, *scope stays. */
void caw__anyio_unshield(PyObject **scope);

CAW__INTERNAL_END

#endif
