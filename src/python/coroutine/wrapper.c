/* wrapper.c: a coroutine of Python's own around one of ours, for callers that take no other: the TaskGroup of anyio 4.0
 * to 4.13 refuses what is not a types.CoroutineType, and `python -m asyncio ps` reads only the frames of such. */
#include "python/coroutine/wrapper.h"

#include "python/base/python_code.h"

/* One line, so that all of it is on the line where the operation is written. */
static const char wrapper_source[] = "async def wrapper(coroutine): return await coroutine\n";

/* The code of the wrapper with the names of the function. */
static PyObject *
wrapper_code(const caw__function *function, PyObject *plain)
{
    const caw_py_spec *spec = function->spec;
    PyObject *code = PyObject_GetAttrString(plain, "__code__");
    PyObject *replace = code ? PyObject_GetAttrString(code, "replace") : NULL;
    PyObject *args = replace ? PyTuple_New(0) : NULL;
    PyObject *names = args ? Py_BuildValue("{s:O,s:s,s:i}", "co_name", function->name, "co_filename",
                                           spec->file ? spec->file : "<C>", "co_firstlineno", spec->line)
                           : NULL;
#if CAW__HAS_CODE_QUALNAME
    if (names && PyDict_SetItemString(names, "co_qualname", function->qualname) < 0) { /* what `asyncio ps` shows */
        Py_CLEAR(names);
    }
#endif
    PyObject *named = names ? PyObject_Call(replace, args, names) : NULL;
    Py_XDECREF(names);
    Py_XDECREF(args);
    Py_XDECREF(replace);
    Py_XDECREF(code);
    return named;
}

static PyObject *
wrapper_make(const caw__function *function)
{
    PyObject *plain = caw__python_function(wrapper_source, "wrapper");
    PyObject *code = plain ? wrapper_code(function, plain) : NULL;
    PyObject *globals = code ? PyObject_GetAttrString(plain, "__globals__") : NULL;
    PyObject *wrapper = globals ? PyFunction_NewWithQualName(code, globals, function->qualname) : NULL;
    Py_XDECREF(globals);
    Py_XDECREF(code);
    Py_XDECREF(plain);
    return wrapper;
}

PyObject *
caw__coroutine_wrap(caw__function *function, PyObject *coroutine)
{
    if (!coroutine) {
        return NULL;
    }
    if (!function->wrapper) {
        function->wrapper = wrapper_make(function);
    }
    PyObject *wrapped = function->wrapper ? PyObject_CallOneArg(function->wrapper, coroutine) : NULL;
    Py_DECREF(coroutine);
    return wrapped;
}
