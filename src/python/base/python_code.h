/* python_code.h: the few functions that are written in Python, and calls of others by name. */
#ifndef CAWAIT_PYTHON_BASE_PYTHON_CODE_H
#define CAWAIT_PYTHON_BASE_PYTHON_CODE_H

#include "python/base/compat.h"

CAW__INTERNAL_BEGIN

/* The function that the source defines: a new reference, or NULL with an exception. Its globals are the builtins
 * only. */
PyObject *caw__python_function(const char *source, const char *name);

/* What a function of a module returns, if the program has imported that: a new reference, or NULL. Never raises. */
PyObject *caw__call_imported(const char *module, const char *function);

/* Have the interpreter call the function at its end, with `self`, by the module atexit. -1 with an exception. */
int caw__at_python_exit(PyMethodDef *function, PyObject *self);

CAW__INTERNAL_END

#endif
