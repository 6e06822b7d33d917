/* result.h: what a ready future ends its coroutine with. */
#ifndef CAWAIT_PYTHON_COROUTINE_RESULT_H
#define CAWAIT_PYTHON_COROUTINE_RESULT_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* The value of a ready future: a new reference; or NULL with its exception. */
PyObject *caw__result(caw__coroutine *c, caw_future *future);

/* The same where the awaiter was cancelled meanwhile: NULL with the cancellation, unless the value wins. */
PyObject *caw__result_of_cancelled(caw__coroutine *c, caw_future *future);

/* The operation is not ready, and the awaiter was cancelled: whether the time that it is waited for is over. True: the
 * cancellation is set. */
bool caw__result_is_due(caw__coroutine *c);

CAW__INTERNAL_END

#endif
