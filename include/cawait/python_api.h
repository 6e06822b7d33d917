/* cawait/python_api.h: Python's own header, in a version that will do. Empty where CAW_NO_PYTHON is defined. */
#ifndef CAWAIT_PYTHON_API_H
#define CAWAIT_PYTHON_API_H

#include "cawait/cawait.h"

#ifndef CAW_NO_PYTHON

#  ifndef PY_SSIZE_T_CLEAN
#    define PY_SSIZE_T_CLEAN
#  endif
#  include <Python.h>

#  if PY_VERSION_HEX < 0x030A0000
#    error "cawait needs Python 3.10 or newer"
#  endif

#endif
#endif
