/* locals.h: where Python runs for native code, and the scope that says so to a future. */
#ifndef CAWAIT_PYTHON_LOOP_LOCALS_H
#define CAWAIT_PYTHON_LOOP_LOCALS_H

#include "python/loop/job.h"

CAW__INTERNAL_BEGIN

/* Never changes once it is made. */
struct caw_py_locals {
    _Atomic uint32_t refs;
    caw__inbox *inbox;   /* a reference: the loop */
    caw_py_ref *context; /* a reference */
};

/* The locals of the loop that runs here, with the current context; NULL with an exception, and with a status that says the
 * same to a future. */
caw_py_locals *caw__locals_capture(caw__state *state, const caw__coroutine *c, int *status);

/* A Python awaitable that is polled here ended with this exception: for the coroutine, or the scope, that polls it. Borrowed.
 *   poller · no-gil · borrows(error) · never fails · quiet */
void caw__note_raised(const caw_context *cx, caw_py_ref *error, int status);

/* The exception with which the future, or what caw_spawn ran for it, ended with this status: borrowed, or NULL. */
PyObject *caw__scope_raised(const caw_future *future, int status);

CAW__INTERNAL_END

#endif
