/* entry.c: the public functions that make an object for a module without a table: a coroutine, an async generator,
 * locals. */
#include "python/coroutine/block.h"
#include "python/coroutine/coroutine.h"
#include "python/framework/detect.h"
#include "python/function/function.h"
#include "python/generator/step_result.h"
#include "python/loop/locals.h"
#include "python/module/module.h"

PyObject *
caw_py_coroutine(PyObject *module, caw_future *future, const caw_py_spec *spec)
{
    static const caw_py_spec plain = {.name = NULL};
    if (!module || !PyModule_Check(module) || !future) {
        PyErr_SetString(PyExc_SystemError, "caw_py_coroutine needs a module and a future");
        caw_future_destroy(future);
        return NULL;
    }
    caw__state *state = caw__state_of_module(module);
    if (!state) {
        caw_future_destroy(future);
        return NULL;
    }
    return caw__coroutine_for(state, module, future, spec ? spec : &plain);
}

PyObject *
caw_py_block_on(PyObject *module, caw_future *future, const caw_py_spec *spec)
{
    static const caw_py_spec plain = {.name = NULL};
    caw__state *state = NULL;
    if (!module || !PyModule_Check(module) || !future) {
        PyErr_SetString(PyExc_SystemError, "caw_py_block_on needs a module and a future");
    }
    else {
        state = caw__state_of_module(module);
    }
    spec = spec ? spec : &plain;
    const caw__function_def def = {.spec = spec, .name = spec->name};
    caw__function *function = state ? caw__function_for(state, module, &def, future->ops->name) : NULL;
    if (!function) {
        caw_future_destroy(future);
        return NULL;
    }
    PyObject *value = caw__block_on(function, future, NULL);
    Py_DECREF((PyObject *)function);
    return value;
}

PyObject *
caw_py_async_generator(PyObject *module, caw_stream *stream, const caw_py_stream_spec *spec)
{
    static const caw_py_stream_spec plain = {.name = NULL};
    caw__state *state = NULL;
    if (!module || !PyModule_Check(module) || !stream) {
        PyErr_SetString(PyExc_SystemError, "caw_py_async_generator needs a module and a stream");
    }
    else {
        state = caw__state_with_generators(module);
    }
    spec = spec ? spec : &plain;
    const caw__function_def def = {.stream = spec, .steps = caw__generator_steps(spec), .name = spec->name};
    caw__function *function = state ? caw__function_for(state, module, &def, stream->ops->name) : NULL;
    if (!function) {
        caw_stream_destroy(stream);
        return NULL;
    }
    PyObject *generator = caw__generator_new(function, stream, NULL);
    Py_DECREF((PyObject *)function);
    return generator;
}

caw_py_locals *
caw_py_locals_new(PyObject *module)
{
    if (!module || !PyModule_Check(module)) {
        PyErr_SetString(PyExc_SystemError, "caw_py_locals_new needs a module");
        return NULL;
    }
    caw__state *state = caw__state_of_module(module);
    int status; /* unused: the exception says the same */
    return state ? caw__locals_capture(state, NULL, &status) : NULL;
}
