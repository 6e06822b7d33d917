/* functions.c: async functions and methods, and those that return async generators, from the tables of a module. */
#include "python/coroutine/block.h"
#include "python/coroutine/coroutine.h"
#include "python/function/function.h"
#include "python/generator/step_result.h"
#include "python/module/finish.h"
#include "python/module/module.h"

/* --- a row of one of the two tables, as the definition of a function. False at the table's end --- */

typedef bool (*functions_row)(const void *table, size_t i, caw__function_def *out);

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
functions_make_value(caw__function *f, void *future, PyObject *self, PyThreadState *Py_UNUSED(tstate))
{
    if (f->spec->finish_at_exit) {
        (void)caw_finish_at_exit(future);
    }
    return caw__block_on(f, future, self);
}

/* The future is one that is finished at exit. */
static PyObject *
functions_make_finishing(caw__function *f, void *future, PyObject *self, PyThreadState *tstate)
{
    (void)caw_finish_at_exit(future);
    return f->spec->wrap_in_python ? functions_make_wrapped(f, future, self, tstate)
                                   : functions_make_coroutine(f, future, self, tstate);
}

static bool
functions_async_row(const void *table, size_t i, caw__function_def *out)
{
    const caw_py_async_def *row = (const caw_py_async_def *)table + i;
    *out = (caw__function_def){
        .spec = &row->spec,
        .name = row->spec.name,
        .convention = row->convention,
        .start.future = row->start,
        .make = row->spec.finish_at_exit   ? functions_make_finishing
                : row->spec.wrap_in_python ? functions_make_wrapped
                                           : functions_make_coroutine,
    };
    return row->spec.name != NULL;
}

static PyObject *
functions_make_generator(caw__function *f, void *stream, PyObject *self, PyThreadState *Py_UNUSED(tstate))
{
    return caw__generator_new(f, stream, self);
}

static bool
functions_stream_row(const void *table, size_t i, caw__function_def *out)
{
    const caw_py_stream_def *row = (const caw_py_stream_def *)table + i;
    *out = (caw__function_def){
        .stream = &row->spec,
        .steps = caw__generator_steps(&row->spec),
        .name = row->spec.name,
        .convention = row->convention,
        .start.stream = row->start,
        .make = functions_make_generator,
    };
    return row->spec.name != NULL;
}

/* --- the tables --- */

static int
functions_add(caw__state *state, PyObject *module, PyTypeObject *type, const caw__function_def *def)
{
    if (!def->start.future.varargs) {
        PyErr_Format(PyExc_SystemError, "async function '%s' has no start function", def->name);
        return -1;
    }
    if (def->spec && def->spec->finish_at_exit && caw__finish_register(state) < 0) {
        return -1;
    }
    PyObject *f = caw__function_new(state, module, type, def);
    int failed = f ? PyObject_SetAttrString(type ? (PyObject *)type : module, def->name, f) : -1;
    Py_XDECREF(f);
    return failed;
}

/* The plain function of a row. */
static int
functions_add_plain(caw__state *state, PyObject *module, PyTypeObject *type, const caw__function_def *row)
{
    caw__function_def def = *row;
    def.steps = *row->spec;
    def.steps.name = def.name = row->spec->sync_name;
    def.steps.doc = row->spec->sync_doc ? row->spec->sync_doc : row->spec->doc;
    def.steps.qualname = NULL;
    def.is_plain = true;
    def.make = functions_make_value;
    return caw__state_add_plain_functions(state) < 0 ? -1 : functions_add(state, module, type, &def);
}

/* `state_of` returns the module's state with the types that the rows need. Only the callers that need generators refer
 * to them: if those callers are not used, the linker leaves generators out. */
static int
functions_add_all(PyObject *module, PyTypeObject *type, const void *table, functions_row row,
                  caw__state *(*state_of)(PyObject *module), const char *caller)
{
    if (!module || !PyModule_Check(module) || !table) {
        PyErr_Format(PyExc_SystemError, "%s was given no module, no type or no table", caller);
        return -1;
    }
    caw__state *state = state_of(module);
    int failed = state ? 0 : -1;
    caw__function_def def;
    for (size_t i = 0; !failed && row(table, i, &def); i++) {
        failed = functions_add(state, module, type, &def);
        if (!failed && def.spec && def.spec->sync_name) {
            failed = functions_add_plain(state, module, type, &def);
        }
    }
    return failed;
}

int
caw_py_add_functions(PyObject *module, const caw_py_async_def *defs)
{
    return functions_add_all(module, NULL, defs, functions_async_row, caw__state_of_module, "caw_py_add_functions");
}

int
caw_py_add_methods(PyObject *module, PyTypeObject *type, const caw_py_async_def *defs)
{
    return functions_add_all(type ? module : NULL, type, defs, functions_async_row, caw__state_of_module,
                             "caw_py_add_methods");
}

int
caw_py_add_streams(PyObject *module, const caw_py_stream_def *defs)
{
    return functions_add_all(module, NULL, defs, functions_stream_row, caw__state_with_generators,
                             "caw_py_add_streams");
}

int
caw_py_add_stream_methods(PyObject *module, PyTypeObject *type, const caw_py_stream_def *defs)
{
    return functions_add_all(type ? module : NULL, type, defs, functions_stream_row, caw__state_with_generators,
                             "caw_py_add_stream_methods");
}
