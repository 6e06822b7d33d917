/* ref.h: Python objects held by native code: counted without the GIL, dropped with it.
 *
 * One that was made with an inbox is dropped by the thread of that loop. A free one is dropped by whoever of the
 * interpreter has the GIL first. The count is that of a detail (core/base/detail.h), so that an exception goes as a
 * reference to wherever its status goes. */
#ifndef CAWAIT_PYTHON_LOOP_REF_H
#define CAWAIT_PYTHON_LOOP_REF_H

#include "core/base/detail.h"
#include "python/loop/inbox.h"

CAW__INTERNAL_BEGIN

/* A reference that takes the object, which may be NULL, over. NULL when out of memory: then it does not.
 *   any-thread · no-gil · takes(object) · never fails otherwise · quiet */
caw_py_ref *caw__ref_new(caw__inbox *inbox, PyObject *object);

/* The same for any thread of the interpreter of these orphans. A loop that is `rung` looks after the drop; it may be
 * NULL. */
caw_py_ref *caw__ref_new_free(caw__orphans *orphans, caw__inbox *rung, PyObject *object);

/* The same for a buffer of the object, which is borrowed: NULL with an exception. */
caw_py_ref *caw__ref_new_buffer(caw__orphans *orphans, caw__inbox *rung, PyObject *object, int flags);

/* As a detail: borrowed.
 *   any-thread · no-gil · borrows(ref) · never fails · quiet */
caw__detail *caw__ref_detail(caw_py_ref *ref);

/* The object of a detail: borrowed. NULL where it is none, or that of another interpreter. With the GIL. */
PyObject *caw__ref_object_of(const caw__detail *detail);

CAW__INTERNAL_END

#endif
