/* trio_frame.h: the frame that trio looks for on the stack of a task. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_TRIO_FRAME_H
#define CAWAIT_PYTHON_FRAMEWORK_TRIO_FRAME_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* The outermost frame of what the current task of trio runs now, where `coroutine` is that task: a new reference. NULL,
 * without an exception, where it is not, or runs no Python code. */
PyObject *caw__trio_running_frame(caw__state *state, PyObject *coroutine);

CAW__INTERNAL_END

#endif
