/* awaitable.h: what can be awaited, and by which iterator. */
#ifndef CAWAIT_PYTHON_BASE_AWAITABLE_H
#define CAWAIT_PYTHON_BASE_AWAITABLE_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* The name in the ops of a Python awaitable as a future (await/in_place.h). A coroutine recognises such a future by the
 * address of this string, not by the ops: so an extension that awaits nothing of Python's is linked without those. */
extern const char caw__await_name[];

/* What `await` takes; besides an iterator that has send() and throw(), as an __await__ returns one, and a future of
 * concurrent.futures. */
bool caw__is_awaitable(PyObject *object);

/* Something with the methods of concurrent.futures.Future, which no iterator drives. */
bool caw__is_concurrent_future(PyObject *object);

/* An iterator that nothing but a coroutine of ours can await: it has no __await__. */
bool caw__is_bare_iterator(PyObject *object);

/* What drives it: a new reference, or NULL with an exception. Not of a concurrent future. */
PyObject *caw__await_iterator(caw__state *state, PyObject *object);

/* A method of it, or NULL: with an exception, but not where there is none of that name. */
PyObject *caw__awaitable_method(PyObject *object, const char *name);

/* Let go of what is not going to be awaited, and is not to be complained of: a coroutine is closed. Takes the reference.
 * Never raises. */
void caw__awaitable_drop(PyObject *object);

CAW__INTERNAL_END

#endif
