/* asyncio_attach.h: how a loop of asyncio, or one that speaks its protocol, comes to drain a hub. */
#ifndef CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_ATTACH_H
#define CAWAIT_PYTHON_FRAMEWORK_ASYNCIO_ATTACH_H

#include "python/loop/framework.h"

CAW__INTERNAL_BEGIN

/* The `attach` of caw__framework. */
int caw__asyncio_attach(caw__hub *hub);

CAW__INTERNAL_END

#endif
