/* type.h: the coroutine as an object of Python. */
#ifndef CAWAIT_PYTHON_COROUTINE_TYPE_H
#define CAWAIT_PYTHON_COROUTINE_TYPE_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* A coroutine, and one that makes a step of an async generator. */
extern PyType_Spec caw__coroutine_spec, caw__step_spec;

/* The type of coroutines is made: give it the slots that Python code does not see. */
void caw__coroutine_type_made(PyTypeObject *type);

CAW__INTERNAL_END

#endif
