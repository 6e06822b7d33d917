/* step.h: resuming one coroutine: poll; then finish, or suspend. */
#ifndef CAWAIT_PYTHON_COROUTINE_STEP_H
#define CAWAIT_PYTHON_COROUTINE_STEP_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* Resume with a value, or by throwing an exception in, which is taken; for this coroutine alone. PYGEN_NEXT with what
 * it yields, or with NULL when it awaits one of ours, which is to be resumed now; PYGEN_RETURN with its value;
 * PYGEN_ERROR. The caller holds the coroutine: a poll may drop all other references. */
PySendResult caw__step_send(caw__coroutine *c, PyObject *value, PyObject **result);
PySendResult caw__step_throw(caw__coroutine *c, PyObject *exception, PyObject **result);

/* Its first step, where nothing comes before the poll: it is CREATED, and trio is absent. */
PySendResult caw__step_first(caw__state *state, caw__coroutine *c, PyObject **result);

/* The inner of the coroutine has ended: go on. */
PySendResult caw__step_on(caw__coroutine *c, PyObject **result);

/* Set the error of a second awaiter: only the one that it waits with resumes a suspended coroutine. */
void caw__coroutine_refuse(const caw__coroutine *c);

CAW__INTERNAL_END

#endif
