/* asyncio.c: see asyncio.h. Nothing is imported that the program has not imported itself. */
#include "python/asyncio.h"

/* asyncio's functions, once it is there. 0 when it is not: then no loop of it runs either. -1 with an exception. */
static int
asyncio_load(caw__state *state)
{
    if (state->cancelled_error) {
        return 1;
    }
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    PyObject *asyncio = modules ? PyDict_GetItemString(modules, "asyncio") : NULL;
    if (!asyncio) {
        return 0;
    }
    Py_INCREF(asyncio);
    PyObject *events = PyObject_GetAttrString(asyncio, "events");
    PyObject *running = events ? PyObject_GetAttrString(events, "_get_running_loop") : NULL;
    PyObject *task = running ? PyObject_GetAttrString(asyncio, "current_task") : NULL;
    PyObject *error = task ? PyObject_GetAttrString(asyncio, "CancelledError") : NULL;
    Py_DECREF(asyncio);
    Py_XDECREF(events);
    if (!error) {
        Py_XDECREF(running);
        Py_XDECREF(task);
        return -1;
    }
    Py_XSETREF(state->get_running_loop, running);
    Py_XSETREF(state->current_task, task);
    Py_XSETREF(state->cancelled_error, error); /* last: it says that the others are there */
    return 1;
}

PyObject *
caw__asyncio_running_loop(caw__state *state)
{
    int loaded = asyncio_load(state);
    PyObject *loop = loaded > 0 ? PyObject_CallNoArgs(state->get_running_loop) : NULL;
    if (loop && loop != Py_None) {
        return loop;
    }
    Py_XDECREF(loop);
    if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_RuntimeError, "no running event loop: a C operation that does not end at once has to be "
                                            "awaited inside one");
    }
    return NULL;
}

bool
caw__asyncio_may_step(caw__state *state, PyObject *loop)
{
    PyObject *debug = PyObject_CallMethodNoArgs(loop, state->names.get_debug);
    PyObject *task = debug ? PyObject_CallOneArg(state->current_task, loop) : NULL;
    bool may = task == Py_None && PyObject_IsTrue(debug) == 0;
    Py_XDECREF(debug);
    Py_XDECREF(task);
    PyErr_Clear(); /* a loop that cannot tell gets the slower way */
    return may;
}

static int
asyncio_attach_here(caw__hub *hub, PyObject *drain)
{
    PyObject *fd = PyLong_FromLong(caw_reactor_fd(hub->inbox->reactor));
    if (!fd) {
        return -1;
    }
    PyObject *added = PyObject_CallMethodObjArgs(hub->loop, hub->state->names.add_reader, fd, drain, NULL);
    Py_DECREF(fd);
    if (added) {
        Py_DECREF(added);
        return 0;
    }
    if (!PyErr_ExceptionMatches(PyExc_NotImplementedError)) {
        return -1;
    }
    PyErr_Clear();
    return caw__helper_start(hub, drain);
}

int
caw__asyncio_attach(caw__hub *hub, PyObject *drain)
{
    /* In an empty context: the reader, or the helper's timer, keeps the context it is added in for as long as the loop lives. */
    PyObject *context = PyContext_New();
    if (!context || PyContext_Enter(context) < 0) {
        Py_XDECREF(context);
        return -1;
    }
    int failed = asyncio_attach_here(hub, drain);
    PyObject *raised = caw__take_raised();
    failed |= PyContext_Exit(context);
    Py_DECREF(context);
    if (raised) {
        caw__raise(raised);
    }
    return failed;
}

int
caw__asyncio_call_soon(caw__state *state, PyObject *loop, PyObject *callback, PyObject *arg, PyObject *context)
{
    PyObject *args[] = {loop, callback, arg, context};
    PyObject *handle = PyObject_VectorcallMethod(state->names.call_soon, args, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                                 state->call_soon_kwnames);
    if (!handle) {
        return -1;
    }
    Py_DECREF(handle);
    return 0;
}

bool
caw__is_cancellation(caw__state *state, PyObject *exception)
{
    return state->cancelled_error && PyErr_GivenExceptionMatches(exception, state->cancelled_error);
}
