/* function.h: the callable that makes coroutines or async generators: an async function of a module, or an async method of a
 * type. */
#ifndef CAWAIT_PYTHON_FUNCTION_FUNCTION_H
#define CAWAIT_PYTHON_FUNCTION_FUNCTION_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

/* Makes the future, or where there is a stream spec the stream, of one call. */
typedef union caw__start {
    caw_py_start future;
    caw_py_stream_start stream;
} caw__start;

typedef struct caw__function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    caw__state *state;                /* that of `bridge` */
    PyObject *bridge;                 /* the bridge's module, which holds the state; NULL, as state, after tp_clear */
    const caw_py_spec *spec;          /* static, the user's; or `steps` */
    const caw_py_stream_spec *stream; /* static, the user's; NULL where coroutines are made */
    caw_py_spec steps;                /* with stream: of the coroutines that make the steps of a generator */
    caw_py_convention convention;
    caw__start start;
    PyObject *module;          /* what a module's function gets as self; also for __module__ */
    PyTypeObject *type;        /* whose method it is; NULL for a function */
    PyObject *name, *qualname; /* str */
    PyObject *wrapper;         /* the Python function of wrapper.c: made when it is needed */
    PyObject *code;            /* a code object that names the C source: made when somebody looks */
    PyObject *weakrefs;
} caw__function;

/* What a function is made of: one of the two specs, and the name. */
typedef struct caw__function_def {
    const caw_py_spec *spec;
    const caw_py_stream_spec *stream;
    const char *name;
    caw_py_convention convention;
    caw__start start;
} caw__function_def;

extern PyType_Spec caw__function_spec, caw__method_spec;

/* A function object without a start, for a future or a stream that was made in another way: a new reference. One of the specs
 * is NULL; `name` is for one that has none. */
caw__function *caw__function_for(caw__state *state, PyObject *module, const caw_py_spec *spec,
                                 const caw_py_stream_spec *stream, const char *name);

/* signature.c */
extern PyGetSetDef caw__function_getset[];

/* The code object that names the C function, file and line: a borrowed reference, or NULL with an exception. */
PyObject *caw__function_code(caw__function *function);

CAW__INTERNAL_END

#endif
