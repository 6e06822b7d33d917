/* asyncio.h: what the bridge asks of asyncio, and of loops that speak its protocol (uvloop). */
#ifndef CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_H
#define CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_H

#include "python/loop/framework.h"

CAW__INTERNAL_BEGIN

/* The loop that runs in this thread, in `loop`: a new reference, or NULL when there is none. -1 with an exception. */
int caw__asyncio_running_loop(caw__state *state, PyObject **loop);

/* The coroutine of the loop's current task: a new reference, or NULL when there is none. Never raises. */
PyObject *caw__asyncio_current_coroutine(caw__state *state, PyObject *loop);

/* Something that stays the same object as long as the same loop runs in this thread: borrowed, and cheap to ask for.
 * NULL, without an exception, where there is no such thing. */
PyObject *caw__asyncio_running_mark(caw__state *state);

/* Whether an exception is a cancellation. */
bool caw__is_cancellation(caw__state *state, PyObject *exception);

/* asyncio_task.c: see caw__framework. */
int caw__asyncio_begin(caw__hub *hub, caw__posted *posted, PyObject *awaitable);
void caw__asyncio_cancel(PyObject *task);

/* framework/asyncio_thread.c: a thread that watches the reactor's fd for a loop that cannot, and has the loop call hub.drain(). */
int caw__asyncio_thread_start(caw__hub *hub);
void caw__asyncio_thread_drained(caw__helper *helper);
void caw__asyncio_thread_stop(caw__helper *helper);

CAW__INTERNAL_END

#endif
