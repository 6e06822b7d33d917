/* python_code.h: the few functions that are written in Python. */
#ifndef CAWAIT_PYTHON_BASE_PYTHON_CODE_H
#define CAWAIT_PYTHON_BASE_PYTHON_CODE_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* The function that the source defines: a new reference, or NULL with an exception. Its globals are the builtins
 * only. */
PyObject *caw__python_function(const char *source, const char *name);

CAW__INTERNAL_END

#endif
