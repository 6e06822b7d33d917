/* hub_type.h: the hub as an object of Python. */
#ifndef CAWAIT_PYTHON_LOOP_HUB_TYPE_H
#define CAWAIT_PYTHON_LOOP_HUB_TYPE_H

#include "python/loop/hub.h"

CAW__INTERNAL_BEGIN

extern PyType_Spec caw__hub_spec;

CAW__INTERNAL_END

#endif
