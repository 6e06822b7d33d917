/* read.h: the reading methods of a byte stream. */
#ifndef CAWAIT_PYTHON_BYTES_READ_H
#define CAWAIT_PYTHON_BYTES_READ_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

extern const caw_py_async_def caw__byte_stream_inputs[];

CAW__INTERNAL_END

#endif
