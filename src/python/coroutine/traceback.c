/* traceback.c: a code object and a frame that name the C function, made only when somebody looks: a traceback, a debugger,
 * Task.get_stack, asyncio's call graph (which reads cr_frame of whatever has cr_await, since 3.14). */
#include "python/coroutine/coroutine.h"

/* CO_OPTIMIZED | CO_NEWLOCALS, and CO_COROUTINE or CO_ASYNC_GENERATOR (Include/cpython/code.h), which make
 * inspect.iscoroutinefunction, or inspect.isasyncgenfunction, true. */
#define FRAME_COROUTINE_FLAGS 0x83
#define FRAME_GENERATOR_FLAGS 0x203

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
    int flags = function->stream ? FRAME_GENERATOR_FLAGS : FRAME_COROUTINE_FLAGS;
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

PyObject *
caw__function_frame(caw__function *function)
{
    PyObject *code = caw__function_code(function);
    PyObject *globals = code ? PyDict_New() : NULL;
    if (!globals) {
        return NULL;
    }
    PyFrameObject *frame = PyFrame_New(PyThreadState_Get(), (PyCodeObject *)code, globals, NULL);
    Py_DECREF(globals);
    if (frame) {
        caw__frame_unlink(frame);
    }
    return (PyObject *)frame;
}

PyObject *
caw__coroutine_frame(caw__coroutine *c)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    if (extras && !extras->frame) {
        extras->frame = caw__function_frame(c->function);
    }
    if (extras && extras->frame && c->state != CORO_CREATED) {
        caw__frame_begin((PyFrameObject *)extras->frame);
    }
    return extras ? Py_XNewRef(extras->frame) : NULL;
}

void
caw__coroutine_add_traceback(caw__coroutine *c)
{
    if (!c->function) {
        return;
    }
    PyObject *raised = caw__take_raised();
    PyObject *frame = caw__function_frame(c->function);
    if (!frame) {
        PyErr_Clear(); /* the exception matters, its decoration does not */
    }
    caw__raise(raised);
    if (frame) {
        PyTraceBack_Here((PyFrameObject *)frame);
        Py_DECREF(frame);
    }
}
