/* attributes.h: the attributes of an async function. */
#ifndef CAWAIT_PYTHON_FUNCTION_ATTRIBUTES_H
#define CAWAIT_PYTHON_FUNCTION_ATTRIBUTES_H

#include "python/function/object.h"

CAW__INTERNAL_BEGIN

extern PyGetSetDef caw__function_getset[];

/* tp_getattro, tp_setattro, and __dir__(). */
PyObject *caw__function_getattro(PyObject *self, PyObject *name);
int caw__function_setattro(PyObject *self, PyObject *name, PyObject *value);
PyObject *caw__function_dir(PyObject *self, PyObject *ignored);

/* Give both types their __doc__, once they are made. -1 with an exception. */
int caw__function_describe(PyTypeObject *function_type, PyTypeObject *method_type);

CAW__INTERNAL_END

#endif
