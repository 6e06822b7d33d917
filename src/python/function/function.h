/* function.h: making the callables, and their two types: functions of a module and methods of a type. */
#ifndef CAWAIT_PYTHON_FUNCTION_FUNCTION_H
#define CAWAIT_PYTHON_FUNCTION_FUNCTION_H

#include "python/function/object.h"

CAW__INTERNAL_BEGIN

/* What a function is made of. */
typedef struct caw__function_def {
    const caw_py_spec *spec; /* of a coroutine; NULL where there is a stream */
    const caw_py_stream_spec *stream;
    caw_py_spec
        steps;     /* with stream: of the coroutines that make the steps of the generator; where is_plain: its own */
    bool is_plain; /* `make` waits for the end, and gives the value */
    const char *name;
    caw_py_convention convention;
    caw__start start;
    caw__make_fn make;
} caw__function_def;

extern PyType_Spec caw__function_spec, caw__method_spec;

/* The types of those that are plain. */
extern PyType_Spec caw__plain_function_spec, caw__plain_method_spec;

/* A function of the module, or a method of the type, which may be NULL: a new reference, or NULL with an exception. */
PyObject *caw__function_new(caw__state *state, PyObject *module, PyTypeObject *type, const caw__function_def *def);

/* The function object for a future or a stream that was made without a call: a new reference. It has no start. For a
 * spec that has a name it is made once; `name` is used where the spec has none. */
caw__function *caw__function_for(caw__state *state, PyObject *module, const caw__function_def *def, const char *name);

CAW__INTERNAL_END

#endif
