/* functions.c: async functions and methods, and those that return async generators, from the tables of a module. */
#include "python/coroutine/coroutine.h"
#include "python/function/function.h"
#include "python/generator/step_result.h"
#include "python/module/module.h"

/* --- what a call returns --- */

static PyObject *
functions_make_coroutine(caw__function *f, void *future, PyObject *self, PyThreadState *tstate)
{
    return caw__coroutine_new(f, future, self, tstate);
}

static PyObject *
functions_make_wrapped(caw__function *f, void *future, PyObject *self, PyThreadState *tstate)
{
    return caw__coroutine_new_wrapped(f, future, self, tstate);
}

static PyObject *
functions_make_generator(caw__function *f, void *stream, PyObject *self, PyThreadState *Py_UNUSED(tstate))
{
    return caw__generator_new(f, stream, self);
}

/* --- the tables --- */

static int
functions_add(caw__state *state, PyObject *module, PyTypeObject *type, const caw__function_def *def)
{
    if (!def->start.future.varargs) {
        PyErr_Format(PyExc_SystemError, "async function '%s' has no start function", def->name);
        return -1;
    }
    PyObject *f = caw__function_new(state, module, type, def);
    int failed = f ? PyObject_SetAttrString(type ? (PyObject *)type : module, def->name, f) : -1;
    Py_XDECREF(f);
    return failed;
}

/* All rows of one of the two tables; the other one is NULL. */
static int
functions_add_all(PyObject *module, PyTypeObject *type, const caw_py_async_def *functions,
                  const caw_py_stream_def *streams, const char *caller)
{
    if (!module || !PyModule_Check(module) || (!functions && !streams)) {
        PyErr_Format(PyExc_SystemError, "%s was given no module, no type or no table", caller);
        return -1;
    }
    caw__state *state = caw__state_of_module(module);
    int failed = state ? 0 : -1;
    for (size_t i = 0; !failed; i++) {
        caw__function_def def = {.name = functions ? functions[i].spec.name : streams[i].spec.name};
        if (!def.name) {
            break;
        }
        if (functions) {
            def.spec = &functions[i].spec;
            def.convention = functions[i].convention;
            def.start.future = functions[i].start;
            def.make = functions[i].spec.wrap_in_python ? functions_make_wrapped : functions_make_coroutine;
        }
        else {
            def.stream = &streams[i].spec;
            def.steps = caw__generator_steps(def.stream);
            def.convention = streams[i].convention;
            def.start.stream = streams[i].start;
            def.make = functions_make_generator;
        }
        failed = functions_add(state, module, type, &def);
    }
    return failed;
}

int
caw_py_add_functions(PyObject *module, const caw_py_async_def *defs)
{
    return functions_add_all(module, NULL, defs, NULL, "caw_py_add_functions");
}

int
caw_py_add_methods(PyObject *module, PyTypeObject *type, const caw_py_async_def *defs)
{
    return functions_add_all(type ? module : NULL, type, defs, NULL, "caw_py_add_methods");
}

int
caw_py_add_streams(PyObject *module, const caw_py_stream_def *defs)
{
    return functions_add_all(module, NULL, NULL, defs, "caw_py_add_streams");
}

int
caw_py_add_stream_methods(PyObject *module, PyTypeObject *type, const caw_py_stream_def *defs)
{
    return functions_add_all(type ? module : NULL, type, NULL, defs, "caw_py_add_stream_methods");
}
