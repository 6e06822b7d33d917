/* asyncio.h: what the bridge asks of asyncio, and of loops that speak its protocol (uvloop). */
#ifndef CAWAIT_SRC_ASYNCIO_H
#define CAWAIT_SRC_ASYNCIO_H

#include "python/hub.h"

CAW__INTERNAL_BEGIN

/* The loop that runs in this thread: a new reference. NULL with a RuntimeError when there is none. */
PyObject *caw__asyncio_running_loop(caw__state *state);

/* Something that stays the same object as long as the same loop runs in this thread: borrowed, and cheap to ask for.
 * NULL, without an exception, where there is no such thing. */
PyObject *caw__asyncio_running_mark(caw__state *state);

/* Whether tasks may be stepped straight from a callback of this loop: not in debug mode (which times and attributes
 * every callback), not while a task is current (it cannot be entered twice). -1 with a KeyboardInterrupt or the like. */
int caw__asyncio_may_step(caw__state *state, PyObject *loop);

/* Have the loop call hub.drain() when the hub's reactor has something to do, and own the hub until it is closed. */
int caw__asyncio_attach(caw__hub *hub, PyObject *drain);

/* loop.call_soon(callback, arg, context=context) */
int caw__asyncio_call_soon(caw__state *state, PyObject *loop, PyObject *callback, PyObject *arg, PyObject *context);

/* Whether an exception is a cancellation. */
bool caw__is_cancellation(caw__state *state, PyObject *exception);

/* helper.c: a thread that watches the reactor's fd for a loop that cannot, and has the loop call hub.drain(). */
int caw__helper_start(caw__hub *hub);
void caw__helper_drained(caw__helper *helper);
void caw__helper_stop(caw__helper *helper);

CAW__INTERNAL_END

#endif
