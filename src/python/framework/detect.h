/* detect.h: which framework runs here, and on which loop. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_DETECT_H
#define CAWAIT_PYTHON_FRAMEWORK_DETECT_H

#include "python/loop/framework.h"
#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

/* What runs in this thread, and in `loop`, a new reference, what its hub is found by: the loop, or the token of the
 * trio run. Where a run of each is inside the other, the one that awaits this waiter. NULL with a RuntimeError when
 * nothing runs. `w` may be NULL, here and below. */
const caw__framework *caw__framework_running(caw__state *state, const caw__waiter *w, PyObject **loop);

/* The task of trio that awaits this waiter, in `task`: 1 and a new reference; 0 and NULL when trio does not run here,
 * or runs only around what awaits it; -1 and NULL with an exception. Costs next to nothing without trio. */
int caw__framework_trio_task(caw__state *state, const caw__waiter *w, PyObject **task);

/* The hub of the loop that runs in this thread and awaits the waiter, made if it is not there: borrowed. NULL with an
 * exception, and with a status that says the same to a future. */
caw__hub *caw__hub_current(caw__state *state, const caw__waiter *w, int *status);

/* The locals of that loop, with the current context; NULL as above. */
caw_py_locals *caw__locals_capture(caw__state *state, const caw__waiter *w, int *status);

/* A cancellation of asyncio or of trio, or GeneratorExit. */
bool caw__is_cancellation_of_any(caw__state *state, PyObject *exception);

CAW__INTERNAL_END

#endif
