/* cawait/python_api.h: Python.h, which comes before any header of the system, and then the core. Where CAW_NO_PYTHON is
 * defined it is the core alone.
 */
#ifndef CAWAIT_PYTHON_API_H
#define CAWAIT_PYTHON_API_H

#ifndef CAW_NO_PYTHON

#  ifdef Py_LIMITED_API
#    error "cawait needs the whole C API of Python: build without Py_LIMITED_API (setuptools: py_limited_api)"
#  endif

#  ifndef PY_SSIZE_T_CLEAN
#    define PY_SSIZE_T_CLEAN
#  endif
#  include <Python.h>
#  if defined(Py_LIMITED_API) && Py_LIMITED_API + 0 < 0x030B0000
typedef struct bufferinfo Py_buffer; /* so that there is only the error above */
#  endif

#  if PY_VERSION_HEX < 0x030A0000
#    error "cawait needs Python 3.10 or newer"
#  endif

#endif

#include "cawait/core.h"

#endif
