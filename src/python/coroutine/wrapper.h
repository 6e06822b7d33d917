/* wrapper.h: a coroutine of Python's own around one of ours. */
#ifndef CAWAIT_PYTHON_COROUTINE_WRAPPER_H
#define CAWAIT_PYTHON_COROUTINE_WRAPPER_H

#include "python/function/object.h"

CAW__INTERNAL_BEGIN

/* Put it into one, with the names of the function. Takes the coroutine, which may be NULL with an exception. */
PyObject *caw__coroutine_wrap(caw__function *function, PyObject *coroutine);

CAW__INTERNAL_END

#endif
