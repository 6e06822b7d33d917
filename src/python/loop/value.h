/* value.h: an item that holds a Python object, and may end on any thread: the object is dropped in the thread of its
 * loop, by a job. */
#ifndef CAWAIT_PYTHON_LOOP_VALUE_H
#define CAWAIT_PYTHON_LOOP_VALUE_H

#include "python/loop/inbox.h"

CAW__INTERNAL_BEGIN

/* Takes the value; NULL when out of memory. In the inbox's thread, with the GIL. */
caw_item *caw__value_new(caw__inbox *inbox, PyObject *value);

/* The value, or None of another item: a new reference. */
PyObject *caw__value_get(const caw_item *item);

CAW__INTERNAL_END

#endif
