/* asyncio_task.h: awaitables that run as tasks of asyncio. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_TASK_H
#define CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_TASK_H

#include "python/framework/task.h"

CAW__INTERNAL_BEGIN

/* As in caw__framework. */
int caw__asyncio_begin(caw__hub *hub, caw__py_task *task, PyObject *awaitable);
void caw__asyncio_cancel(PyObject *handle);

CAW__INTERNAL_END

#endif
