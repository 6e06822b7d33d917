/* drain.h: what the loop calls when the hub's reactor has something to do. */
#ifndef CAWAIT_PYTHON_LOOP_DRAIN_H
#define CAWAIT_PYTHON_LOOP_DRAIN_H

#include "python/loop/hub.h"

CAW__INTERNAL_BEGIN

/* The method `drain`: resume what was woken. Called by the loop, in its thread. */
PyObject *caw__hub_drain(PyObject *hub, PyObject *ignored);

CAW__INTERNAL_END

#endif
