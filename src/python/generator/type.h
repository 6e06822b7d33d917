/* type.h: the type of async generators. */
#ifndef CAWAIT_PYTHON_GENERATOR_TYPE_H
#define CAWAIT_PYTHON_GENERATOR_TYPE_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

extern PyType_Spec caw__generator_spec;

CAW__INTERNAL_END

#endif
