/* traceback.h: frames that name the C function of a coroutine. */
#ifndef CAWAIT_PYTHON_COROUTINE_TRACEBACK_H
#define CAWAIT_PYTHON_COROUTINE_TRACEBACK_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* Where a future is, if it is an async function: suspended, or after its end failed. Else without a file. */
caw_point caw__future_point(const caw_future *future);

/* The same of a coroutine's future. Without a file also while it is polled without the GIL, by whoever writes it. */
caw_point caw__coroutine_point(const caw__coroutine *c);

/* The frame of a coroutine, the same one as long as it is at that place: a new reference, or NULL with an exception. */
PyObject *caw__coroutine_frame(caw__coroutine *c);

/* Add the place of its operation to the traceback of the exception that is set: that of the row, or where it failed. */
void caw__coroutine_add_traceback(caw__coroutine *c, caw_point failed);

CAW__INTERNAL_END

#endif
