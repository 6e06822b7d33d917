/* trampoline.h: resuming a coroutine, and with it the coroutines of ours that it awaits in place. */
#ifndef CAWAIT_PYTHON_COROUTINE_TRAMPOLINE_H
#define CAWAIT_PYTHON_COROUTINE_TRAMPOLINE_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* Resume with a value: PYGEN_NEXT with what it yields, PYGEN_RETURN with its value, PYGEN_ERROR. The caller holds the
 * coroutine: a poll may drop all other references. */
PySendResult caw__coroutine_send(PyObject *self, PyObject *value, PyObject **result);

/* Throw an exception in; takes the exception. */
PySendResult caw__coroutine_throw(caw__coroutine *c, PyObject *exception, PyObject **result);

/* As close() of Python's coroutines: GeneratorExit goes to the innermost first. -1 with an exception. */
int caw__coroutine_close(caw__coroutine *c);

CAW__INTERNAL_END

#endif
