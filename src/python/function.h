/* function.h: the callable that makes coroutines: an async function of a module, or an async method of a type. */
#ifndef CAWAIT_SRC_FUNCTION_H
#define CAWAIT_SRC_FUNCTION_H

#include "python/state.h"

CAW__INTERNAL_BEGIN

typedef struct caw__function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    caw__state *state;       /* that of `bridge` */
    PyObject *bridge;        /* the bridge's module, which holds the state; NULL, as state, after tp_clear */
    const caw_py_spec *spec; /* static, the user's */
    caw_py_convention convention;
    caw_py_start start;
    PyObject *module;          /* what a module's function gets as self; also for __module__ */
    PyTypeObject *type;        /* whose method it is; NULL for a function */
    PyObject *name, *qualname; /* str */
    PyObject *wrapper;         /* the Python function of wrapper.c: made when it is needed */
    PyObject *code;            /* a code object that names the C source: made when somebody looks */
    PyObject *weakrefs;
} caw__function;

extern PyType_Spec caw__function_spec, caw__method_spec;

/* A function object without a start: what a coroutine of caw_py_coroutine needs of it. */
PyObject *caw__function_for_spec(caw__state *state, PyObject *module, const caw_py_spec *spec, const char *name);

/* The code object that names the C function, file and line: a borrowed reference, or NULL with an exception. */
PyObject *caw__function_code(caw__function *function);

CAW__INTERNAL_END

#endif
