/* dealloc.h: deallocators that are not inside too many others.
 *
 * A long chain of objects that hold each other would be dropped by as many calls inside each other, and overflow the C
 * stack of a small thread. CPython's trashcan is no help: since 3.13 it counts to thousands. So each type of ours that
 * can be part of such a chain has a deallocator of this form:
 *
 *     if (caw__dealloc_begin(self)) {
 *         ... // as usual
 *         caw__dealloc_end();
 *     }
 *
 * Where it is inside too many others the object is put off: it waits, untracked and with no reference, until the
 * innermost of them is through, which calls its deallocator again.
 */
#ifndef CAWAIT_PYTHON_BASE_DEALLOC_H
#define CAWAIT_PYTHON_BASE_DEALLOC_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* False: it is put off. True: it is to be ended now, and then caw__dealloc_end() is called. */
bool caw__dealloc_begin(PyObject *self);
void caw__dealloc_end(void);

CAW__INTERNAL_END

#endif
