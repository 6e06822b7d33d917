/* end.h: how a coroutine ends: with its future's result, by failing, or by being given up. */
#ifndef CAWAIT_PYTHON_COROUTINE_END_H
#define CAWAIT_PYTHON_COROUTINE_END_H

#include "python/coroutine/coroutine.h"
#include "python/framework/anyio.h"

CAW__INTERNAL_BEGIN

/* Give the future up, and be CLOSED: the way of close, of a throw, and of the collector. */
void caw__coroutine_abandon(caw__coroutine *c);

/* Give up with the exception that is set: PYGEN_ERROR, with the traceback of the operation's place. */
CAW__SLOW PySendResult caw__coroutine_fail(caw__coroutine *c, PyObject **result);

/* The future is ready: finish with its result or, where the awaiter was cancelled, with that. */
PySendResult caw__coroutine_finish(caw__coroutine *c, PyObject **result);

/* Somebody else than the awaiter ends the coroutine: have the awaiter resume too, to find it closed. */
void caw__coroutine_free_awaiter(caw__coroutine *c);

/* It waits for nothing in place any more. */
void caw__coroutine_leave_inner(caw__coroutine *c);

/* Leave the scope of anyio that the rest of a cancelled wait happens in, if there is one. Closed by another task than
 * the one that entered it, the coroutine keeps it until that one resumes. */
static inline void
caw__coroutine_unshield(caw__coroutine *c)
{
    if (c->extras) {
        caw__anyio_unshield(&c->extras->scope);
    }
}

CAW__INTERNAL_END

#endif
