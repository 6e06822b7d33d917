/* errors.h: how a step says that it returned a value or failed. */
#ifndef CAWAIT_PYTHON_BASE_ERRORS_H
#define CAWAIT_PYTHON_BASE_ERRORS_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* caw_py_set_error for an operation that has a name, which the exception then says, where it has no errno. */
void caw__set_error_of(const char *operation, int status);

/* StopIteration(value), for tp_iternext. Takes the reference. May reuse the state's instance. */
void caw__return_by_iternext(caw__state *state, PyObject *value);

/* StopIteration(value) as a fresh exception, for send() and throw(), whose callers may keep it. For None it is
 * StopIteration(), as with Python's own. Takes the reference. */
void caw__return_by_raise(PyObject *value);

/* Drop the value that the reused StopIteration still holds. */
void caw__forget_returned(caw__state *state);

/* Replace the exception that is set by a RuntimeError, whose cause it becomes. */
void caw__raise_instead_of(const char *text);

/* A StopIteration that leaves a coroutine would look like a result: make it a RuntimeError (PEP 479). */
void caw__guard_stop_iteration(void);

/* From Python 3.12 on: warn where throw(), or athrow(), is called with more arguments than the exception. -1 with an
 * exception where warnings are errors. */
int caw__warn_of_three_arguments(const char *method, Py_ssize_t nargs);

/* The exception for the arguments of throw(type[, value[, traceback]]), as for a generator: a new reference, or NULL
 * with an exception. */
PyObject *caw__thrown_exception(PyObject *const *args, Py_ssize_t nargs);

/* Destroy what becomes no coroutine, or no async generator. Its cleanup runs without the exception that says why, which
 * is set again then. */
void caw__future_drop(caw_future *future);
void caw__stream_drop(caw_stream *stream);

CAW__INTERNAL_END

#endif
