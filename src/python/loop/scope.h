/* scope.h: what says to a future, wherever it is polled, where its Python runs. */
#ifndef CAWAIT_PYTHON_LOOP_SCOPE_H
#define CAWAIT_PYTHON_LOOP_SCOPE_H

#include "python/loop/locals.h"

CAW__INTERNAL_BEGIN

/* In a poll inside a scope: a Python awaitable ended with this exception and this status. Borrowed. Nothing outside
 * of one.
 *   poller · no-gil · borrows(error) · never fails · quiet */
void caw__scope_note(caw_py_ref *error, int status);

/* The exception with which the future, or what caw_spawn ran for it, ended with this status: borrowed, or NULL. */
PyObject *caw__scope_noted(const caw_future *future, int status);

CAW__INTERNAL_END

#endif
