/* entry.c: the public functions that make an object for a module without a table: a coroutine, an async generator,
 * locals. */
#include "python/base/errors.h"
#include "python/coroutine/block.h"
#include "python/coroutine/coroutine.h"
#include "python/framework/detect.h"
#include "python/function/function.h"
#include "python/generator/step_result.h"
#include "python/loop/hub.h"
#include "python/loop/locals.h"
#include "python/loop/ref.h"
#include "python/module/finish.h"
#include "python/module/module.h"

PyObject *
caw_py_coroutine(PyObject *module, caw_future *future, const caw_py_spec *spec)
{
    static const caw_py_spec plain = {.name = NULL};
    if (!module || !PyModule_Check(module) || !future) {
        PyErr_SetString(PyExc_SystemError, "caw_py_coroutine needs a module and a future");
        caw__future_drop(future);
        return NULL;
    }
    caw__state *state = caw__state_of_module(module);
    bool finishes = spec && spec->finish_at_exit;
    if (!state || (finishes && caw__finish_register(state) < 0)) {
        caw__future_drop(future);
        return NULL;
    }
    if (finishes) {
        (void)caw_finish_at_exit(future);
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
        caw__future_drop(future);
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
        caw__stream_drop(stream);
        return NULL;
    }
    PyObject *generator = caw__generator_new(function, stream, NULL);
    Py_DECREF((PyObject *)function);
    return generator;
}

/* The state of the extension's module; NULL with an exception. */
static caw__state *
entry_state(PyObject *module, const char *function)
{
    if (!module || !PyModule_Check(module)) {
        PyErr_Format(PyExc_SystemError, "%s needs a module", function);
        return NULL;
    }
    return caw__state_of_module(module);
}

caw_py_locals *
caw_py_locals_new(PyObject *module)
{
    caw__state *state = entry_state(module, "caw_py_locals_new");
    int status; /* unused: the exception says the same */
    return state ? caw__locals_capture(state, NULL, &status) : NULL;
}

/* The loop that runs here, or NULL. */
static caw__inbox *
entry_running_inbox(caw__state *state)
{
    int status;
    caw__hub *hub = caw__hub_current(state, NULL, &status);
    if (!hub) {
        caw__forget_raised(); /* there is none: no matter why */
    }
    return hub ? hub->inbox : NULL;
}

caw_py_ref *
caw_py_hold(PyObject *module, PyObject *object)
{
    caw__state *state = entry_state(module, "caw_py_hold");
    if (!state) {
        return NULL;
    }
    caw__orphans_run(state->orphans);
    caw_py_ref *ref = caw__ref_new_free(state->orphans, entry_running_inbox(state), object);
    if (!ref) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_INCREF(object);
    return ref;
}

caw_py_ref *
caw_py_hold_buffer(PyObject *module, PyObject *object, int flags)
{
    caw__state *state = entry_state(module, "caw_py_hold_buffer");
    if (!state) {
        return NULL;
    }
    caw__orphans_run(state->orphans);
    return caw__ref_new_buffer(state->orphans, entry_running_inbox(state), object, flags);
}
