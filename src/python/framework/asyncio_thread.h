/* asyncio_thread.h: a thread that watches the reactor's fd for a loop of asyncio that cannot. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_THREAD_H
#define CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_THREAD_H

#include "python/loop/framework.h"

CAW__INTERNAL_BEGIN

/* Begin, with what it needs in hub->attached. -1 with an exception. */
int caw__asyncio_thread_start(caw__hub *hub);

/* As `draining`, `drained` and `detach` of caw__framework. */
void caw__asyncio_thread_draining(caw__hub *hub);
void caw__asyncio_thread_drained(caw__hub *hub);
void caw__asyncio_thread_stop(caw__hub *hub);

CAW__INTERNAL_END

#endif
