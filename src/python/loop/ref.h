/* ref.h: Python objects held by native code: counted without the GIL, dropped by the thread of their loop, by a job. */
#ifndef CAWAIT_PYTHON_LOOP_REF_H
#define CAWAIT_PYTHON_LOOP_REF_H

#include "python/loop/inbox.h"

CAW__INTERNAL_BEGIN

/* A reference that takes the object, which may be NULL, over. NULL when out of memory: then it does not.
 *   any-thread · no-gil · takes(object) · never fails otherwise · quiet */
caw_py_ref *caw__ref_new(caw__inbox *inbox, PyObject *object);

CAW__INTERNAL_END

#endif
