/* signature.h: the attributes of an async function. */
#ifndef CAWAIT_PYTHON_FUNCTION_SIGNATURE_H
#define CAWAIT_PYTHON_FUNCTION_SIGNATURE_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

extern PyGetSetDef caw__function_getset[];

CAW__INTERNAL_END

#endif
