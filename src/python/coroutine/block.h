/* block.h: the synchronous face of an operation: run by the thread that calls, without a loop. */
#ifndef CAWAIT_PYTHON_COROUTINE_BLOCK_H
#define CAWAIT_PYTHON_COROUTINE_BLOCK_H

#include "python/function/object.h"

CAW__INTERNAL_BEGIN

/* Wait for a future: its value, a new reference, or NULL with an exception. Takes the future; `self` is borrowed, and
 * may be NULL. */
PyObject *caw__block_on(caw__function *function, caw_future *future, PyObject *self);

CAW__INTERNAL_END

#endif
