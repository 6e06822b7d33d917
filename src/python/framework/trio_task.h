/* trio_task.h: awaitables that run as system tasks of trio. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_TRIO_TASK_H
#define CAWAIT_PYTHON_FRAMEWORK_TRIO_TASK_H

#include "python/framework/task.h"

CAW__INTERNAL_BEGIN

/* As in caw__framework. */
int caw__trio_begin(caw__hub *hub, caw__py_task *task, PyObject *awaitable);
void caw__trio_cancel(PyObject *scope);

CAW__INTERNAL_END

#endif
