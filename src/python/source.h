/* source.h: the few functions that are written in Python. */
#ifndef CAWAIT_SRC_SOURCE_H
#define CAWAIT_SRC_SOURCE_H

#include "python/compat.h"

CAW__INTERNAL_BEGIN

/* The function that the source defines: a new reference, or NULL with an exception. It sees the builtins and nothing else. */
PyObject *caw__python_function(const char *source, const char *name);

CAW__INTERNAL_END

#endif
