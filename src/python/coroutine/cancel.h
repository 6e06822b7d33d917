/* cancel.h: what a cancel does, whoever calls it: a task of asyncio, trio, or an exception that is thrown in.
 * coroutine.h has a picture. */
#ifndef CAWAIT_PYTHON_COROUTINE_CANCEL_H
#define CAWAIT_PYTHON_COROUTINE_CANCEL_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* The cancel policy that applies: never CAW_PY_CANCEL_DEFAULT. Not after CLOSED. */
caw_py_cancel caw__coroutine_policy(const caw__coroutine *c);

/* Whether the operation is told when the awaiter leaves it without its end. Not after CLOSED. */
static inline bool
caw__coroutine_tells(const caw__coroutine *c)
{
    caw_py_cancel policy = caw__coroutine_policy(c);
    return policy != CAW_PY_CANCEL_SHIELD && policy != CAW_PY_CANCEL_KEEP;
}

/* Call the future's cancel, unless that was done. */
void caw__coroutine_send_cancel(caw__coroutine *c);

/* The same under the policy wait: from now on the grace period runs. */
void caw__coroutine_ask_to_end(caw__coroutine *c);

/* Call the author's on_throw, if there is one, with an exception that is thrown in. */
void caw__coroutine_on_throw(caw__coroutine *c, PyObject *exception);

/* A cancellation is thrown in: whether the awaiter waits for the end of the operation. */
bool caw__coroutine_waits_for_end(const caw__coroutine *c);

/* asyncio cancels the task that waits. True: this resumes the task with a CancelledError. False: the operation has
 * the last word; the task remembers the cancellation and throws it at its next step. A new reference, or NULL with an
 * exception. */
PyObject *caw__coroutine_cancel(caw__coroutine *c, PyObject *message);

/* trio cancels the task that waits: SUCCEEDED or FAILED of trio.lowlevel.Abort. A new reference. */
PyObject *caw__coroutine_abort(caw__coroutine *c, caw__state *state, PyObject *raise_cancel);

CAW__INTERNAL_END

#endif
