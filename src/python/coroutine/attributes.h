/* attributes.h: what can be seen of a coroutine. */
#ifndef CAWAIT_PYTHON_COROUTINE_ATTRIBUTES_H
#define CAWAIT_PYTHON_COROUTINE_ATTRIBUTES_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

extern PyGetSetDef caw__coroutine_getset[];
PyObject *caw__coroutine_repr(PyObject *self);

CAW__INTERNAL_END

#endif
