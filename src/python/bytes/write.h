/* write.h: the writing methods of a byte stream. */
#ifndef CAWAIT_PYTHON_BYTES_WRITE_H
#define CAWAIT_PYTHON_BYTES_WRITE_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

extern const caw_py_async_def caw__byte_stream_outputs[];

CAW__INTERNAL_END

#endif
