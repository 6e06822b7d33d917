/* late_call.h: a call of Python without locals: the loop is that of the first poll. */
#ifndef CAWAIT_PYTHON_AWAIT_LATE_CALL_H
#define CAWAIT_PYTHON_AWAIT_LATE_CALL_H

#include "python/await/posted.h"

CAW__INTERNAL_BEGIN

/* A future that posts this call when it is polled first: on the loop of the coroutine of ours, or of the scope, that
 * polls it. NULL when out of memory: then it has taken nothing.
 *   any-thread · no-gil · takes(arg) · returns-new · quiet */
caw_future *caw__call_new(const caw_py_call_spec *spec, void *arg);

/* What it has posted, once it has: borrowed; NULL also where the future is none of these. */
caw__posted *caw__call_posted(const caw_future *f);

CAW__INTERNAL_END

#endif
