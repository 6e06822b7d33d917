/* traceback.h: frames that name the C function of a coroutine. */
#ifndef CAWAIT_PYTHON_COROUTINE_TRACEBACK_H
#define CAWAIT_PYTHON_COROUTINE_TRACEBACK_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* The frame of a coroutine, always the same one: a new reference, or NULL with an exception. */
PyObject *caw__coroutine_frame(caw__coroutine *c);

/* Add the place of its operation to the traceback of the exception that is set. */
void caw__coroutine_add_traceback(caw__coroutine *c);

CAW__INTERNAL_END

#endif
