/* code.c: a code object and a frame that name the C function, made only when they are needed: for a traceback, a
 * debugger, Task.get_stack, or asyncio's call graph (since 3.14 it reads cr_frame of whatever has cr_await). */
#include "python/function/code.h"

/* CO_OPTIMIZED | CO_NEWLOCALS, and CO_COROUTINE or CO_ASYNC_GENERATOR (Include/cpython/code.h), which make
 * inspect.iscoroutinefunction, or inspect.isasyncgenfunction, true. */
#define CODE_COROUTINE_FLAGS 0x83
#define CODE_GENERATOR_FLAGS 0x203
#define CODE_PLAIN_FLAGS     0x3

PyObject *
caw__function_code(caw__function *function)
{
    if (function->code) {
        return function->code;
    }
    const caw_py_spec *spec = function->spec;
    const char *name = PyUnicode_AsUTF8(function->name);
    PyObject *empty =
        name ? (PyObject *)PyCode_NewEmpty(spec->file ? spec->file : "<C>", name, spec->line > 0 ? spec->line : 1)
             : NULL;
    PyObject *replace = empty ? PyObject_GetAttrString(empty, "replace") : NULL;
    PyObject *args = replace ? PyTuple_New(0) : NULL;
    int flags = function->stream ? CODE_GENERATOR_FLAGS : function->is_plain ? CODE_PLAIN_FLAGS : CODE_COROUTINE_FLAGS;
    PyObject *kwargs = args ? Py_BuildValue("{s:i}", "co_flags", flags) : NULL;
    if (kwargs) {
        function->code = PyObject_Call(replace, args, kwargs);
    }
    Py_XDECREF(kwargs);
    Py_XDECREF(args);
    Py_XDECREF(replace);
    Py_XDECREF(empty);
    return function->code;
}

/* The code of one place: it is not the function's, and lives as long as its frame. */
static PyObject *
code_at(caw__function *function, const char *name, const char *file, int line)
{
    name = name ? name : PyUnicode_AsUTF8(function->name);
    return name ? (PyObject *)PyCode_NewEmpty(file, name, line) : NULL;
}

PyObject *
caw__function_frame(caw__function *function, const char *name, const char *file, int line)
{
    PyObject *code = file ? code_at(function, name, file, line) : Py_XNewRef(caw__function_code(function));
    PyObject *globals = code ? PyDict_New() : NULL;
    if (!globals) {
        Py_XDECREF(code);
        return NULL;
    }
    PyFrameObject *frame = PyFrame_New(PyThreadState_Get(), (PyCodeObject *)code, globals, NULL);
    Py_DECREF(globals);
    Py_DECREF(code);
    if (frame) {
        caw__frame_unlink(frame);
    }
    return (PyObject *)frame;
}
