/* errors.h: how a step says that it returned a value or failed. */
#ifndef CAWAIT_PYTHON_BASE_ERRORS_H
#define CAWAIT_PYTHON_BASE_ERRORS_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* StopIteration(value), for tp_iternext. Takes the reference. May use the state's one instance again. */
void caw__return_by_iternext(caw__state *state, PyObject *value);

/* StopIteration(value) as a fresh exception, for send() and throw(), whose callers may keep it. Takes the reference. */
void caw__return_by_raise(PyObject *value);

/* Let go of the value that the reused StopIteration still holds. */
void caw__forget_returned(caw__state *state);

/* Put a RuntimeError in the place of the exception that is set, which is then its cause. */
void caw__raise_instead_of(const char *text);

/* A StopIteration that leaves a coroutine would look like a result: make it a RuntimeError (PEP 479). */
void caw__guard_stop_iteration(void);

/* The exception that throw(type[, value[, traceback]]) means, as for a generator: a new reference. */
PyObject *caw__thrown_exception(PyObject *const *args, Py_ssize_t nargs);

CAW__INTERNAL_END

#endif
