/* group.h: the exception that a group of futures has ended with. */
#ifndef CAWAIT_PYTHON_AWAIT_GROUP_H
#define CAWAIT_PYTHON_AWAIT_GROUP_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* The exception of a future of caw_py_group: borrowed. NULL where it has none, or is another one. With the GIL. */
PyObject *caw__py_group_exception(const caw_future *future);

CAW__INTERNAL_END

#endif
