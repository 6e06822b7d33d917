/* code.h: the code object and the frame that name the C function. */
#ifndef CAWAIT_PYTHON_FUNCTION_CODE_H
#define CAWAIT_PYTHON_FUNCTION_CODE_H

#include "python/function/object.h"

CAW__INTERNAL_BEGIN

/* The code object, with the function's name, file and line: a borrowed reference, or NULL with an exception. */
PyObject *caw__function_code(caw__function *function);

/* A frame of that code; or, with a file, of that place, with another name unless that is NULL: a new reference, or NULL
 * with an exception. */
PyObject *caw__function_frame(caw__function *function, const char *name, const char *file, int line);

CAW__INTERNAL_END

#endif
