/* awaitable.h: what can be awaited, and by which iterator. */
#ifndef CAWAIT_PYTHON_BASE_AWAITABLE_H
#define CAWAIT_PYTHON_BASE_AWAITABLE_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* The name in the ops of a Python awaitable as a future (await/in_place.h). A coroutine recognises such a future by the
 * address of this string, not by the ops: so an extension that never awaits Python is linked without those. */
extern const char caw__await_name[];

/* The Python awaitable as a future, or the iterable or byte stream as one of C, that this thread made last. A coroutine
 * that is made next is taken to await it: caw_py_checkpoint says why that matters. NULL where a coroutine or an async
 * generator was made since, where a call has made neither, where this thread has begun to poll one, and where it has
 * destroyed this one before its first poll. Not read through: another thread may have destroyed it. */
extern CAW__THREAD_LOCAL const void *caw__await_made;

/* This one is destroyed before its first poll. */
static inline void
caw__await_forget(const void *made)
{
    if (caw__await_made == made) { /* else what the call made after it may still be awaited */
        caw__await_made = NULL;
    }
}

/* What `await` takes. Also an iterator with send() and throw(), as an __await__ returns it, and a future of
 * concurrent.futures. */
bool caw__is_awaitable(PyObject *object);

/* Something with the methods of concurrent.futures.Future, which no iterator drives. */
bool caw__is_concurrent_future(PyObject *object);

/* An iterator without an __await__: only a coroutine of ours can await it. */
bool caw__is_bare_iterator(PyObject *object);

/* The iterator that drives an awaitable: a new reference, or NULL with an exception. Not for a concurrent future. */
PyObject *caw__await_iterator(caw__state *state, PyObject *object);

/* A method of the awaitable: a new reference. NULL without an exception if there is none of that name, NULL with one if
 * the look-up failed. */
PyObject *caw__awaitable_method(PyObject *object, const char *name);

/* Drop what is not going to be awaited, without a warning that it was never awaited: a coroutine is closed. Takes the
 * reference. Never raises. */
void caw__awaitable_drop(PyObject *object);

CAW__INTERNAL_END

#endif
