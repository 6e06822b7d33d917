/* value.h: an item that holds a Python object, and may end on any thread: the object is dropped in its loop's (see job.h). */
#ifndef CAWAIT_PYTHON_LOOP_VALUE_H
#define CAWAIT_PYTHON_LOOP_VALUE_H

#include "python/loop/wake_target.h"

CAW__INTERNAL_BEGIN

/* Takes the value; NULL when out of memory. In the inbox's thread, with the GIL. */
caw_item *caw__value_new(caw__inbox *inbox, PyObject *value);

/* Free the memory that the hub keeps for items; it keeps no more. */
void caw__value_free_list_clear(caw__hub *hub);

/* The value, or None of another item: a new reference. */
PyObject *caw__value_get(const caw_item *item);

CAW__INTERNAL_END

#endif
