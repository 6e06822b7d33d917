/* asyncio.h: what the bridge gets from asyncio, and from loops that speak its protocol (uvloop). */
#ifndef CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_H
#define CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_H

#include "python/loop/framework.h"

CAW__INTERNAL_BEGIN

extern const caw__framework caw__asyncio;

/* The loop that runs in this thread, in `loop`: a new reference, or NULL when there is none. -1 with an exception. */
int caw__asyncio_running_loop(caw__state *state, PyObject **loop);

/* The coroutine of the loop's current task: a new reference, or NULL when there is none. Never raises. */
PyObject *caw__asyncio_current_coroutine(caw__state *state, PyObject *loop);

/* The `mark` of caw__framework. */
PyObject *caw__asyncio_running_mark(caw__state *state);

/* Whether an exception is a cancellation of asyncio. */
bool caw__is_cancellation(caw__state *state, PyObject *exception);

CAW__INTERNAL_END

#endif
