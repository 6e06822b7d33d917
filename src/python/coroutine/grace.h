/* grace.h: how long a cancelled operation is waited for, under the policy wait: cancel_grace_ns of caw_py_spec.
 *
 * The clock is a future of the loop's reactor, `extras->grace`, which wakes the coroutine as the operation does. When
 * it is over and the operation has not ended, the awaiter raises the cancellation that it waited with, and the
 * operation ends unobserved.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_GRACE_H
#define CAWAIT_PYTHON_COROUTINE_GRACE_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

/* The operation was asked to end. Never raises: without memory for the clock it is waited for as if there were none. */
void caw__grace_begin(caw__coroutine *c);

/* Whether it had its time. */
bool caw__grace_is_over(caw__coroutine *c);

/* The operation has ended, or was given up. */
void caw__grace_end(caw__coroutine *c);

CAW__INTERNAL_END

#endif
