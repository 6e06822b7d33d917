/* aclose.h: closing an async iterator, by its aclose(). */
#ifndef CAWAIT_PYTHON_ITERATE_ACLOSE_H
#define CAWAIT_PYTHON_ITERATE_ACLOSE_H

#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

/* The awaitable of iterator.aclose(): a new reference; None where it has no such method; NULL with an exception. */
PyObject *caw__aclose(PyObject *iterator);

/* Start a task of the loop that awaits the iterator's aclose(), if it has one. Takes the iterator. Never raises.
 *   any-thread · gil · borrows(locals) · never fails · wakes, runs-python */
void caw__aclose_later(caw_py_locals *locals, PyObject *iterator);

CAW__INTERNAL_END

#endif
