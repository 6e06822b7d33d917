/* type.h: the coroutine as an object of Python. */
#ifndef CAWAIT_PYTHON_COROUTINE_TYPE_H
#define CAWAIT_PYTHON_COROUTINE_TYPE_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

extern PyType_Spec caw__coroutine_spec;

CAW__INTERNAL_END

#endif
