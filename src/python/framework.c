/* framework.c: which framework runs here. */
#include "python/framework.h"

#include "python/asyncio.h"
#include "python/trio.h"

/* The frame of a task's coroutine, or NULL. Never raises. */
static PyObject *
framework_task_frame(PyObject *coroutine)
{
    PyObject *frame = coroutine ? PyObject_GetAttrString(coroutine, "cr_frame") : NULL;
    PyErr_Clear();
    return frame;
}

/* A task of asyncio and a task of trio are both being stepped in this thread: one runs a loop inside itself. Whose
 * frame is met first on the way out is the inner one, and awaits. True: trio. */
static bool
framework_trio_is_inside(PyObject *asyncio_coroutine, PyObject *trio_coroutine)
{
    PyObject *outer = framework_task_frame(asyncio_coroutine), *inner = framework_task_frame(trio_coroutine);
    bool found = false, is_trio = true;
    PyFrameObject *frame = (PyFrameObject *)Py_XNewRef((PyObject *)PyEval_GetFrame());
    while (frame && !found) {
        is_trio = (PyObject *)frame == inner;
        found = is_trio || (PyObject *)frame == outer;
        Py_SETREF(frame, PyFrame_GetBack(frame));
    }
    Py_XDECREF((PyObject *)frame);
    Py_XDECREF(outer);
    Py_XDECREF(inner);
    return is_trio || !found;
}

/* Both run. A coroutine that is a task by itself has no frame among those that are being run. In guest mode trio's tasks
 * are stepped by a callback of the host loop: then asyncio has no current task. */
static bool
framework_is_trio(caw__state *state, const caw__coroutine *c, PyObject *loop, PyObject *task)
{
    PyObject *mine = caw__asyncio_current_coroutine(state, loop);
    if (!mine) {
        return true;
    }
    PyObject *other = PyObject_GetAttrString(task, "coro");
    PyErr_Clear();
    bool is_trio = mine != (PyObject *)c && (other == (PyObject *)c || framework_trio_is_inside(mine, other));
    Py_XDECREF(other);
    Py_DECREF(mine);
    return is_trio;
}

PyObject *
caw__framework_trio_task(caw__state *state, const caw__coroutine *c)
{
    PyObject *task = caw__trio_task(state), *loop = NULL;
    if (task && caw__asyncio_running_loop(state, &loop) > 0 && !framework_is_trio(state, c, loop, task)) {
        Py_CLEAR(task);
    }
    PyErr_Clear();
    Py_XDECREF(loop);
    return task;
}

const caw__framework *
caw__framework_running(caw__state *state, const caw__coroutine *c, PyObject **loop)
{
    if (caw__asyncio_running_loop(state, loop) < 0) {
        return NULL;
    }
    PyObject *task = caw__trio_task(state);
    if (task && (!*loop || framework_is_trio(state, c, *loop, task))) {
        Py_XSETREF(*loop, caw__trio_run_of(state, task));
        Py_DECREF(task);
        return *loop ? &caw__trio : NULL;
    }
    Py_XDECREF(task);
    if (!*loop) {
        PyErr_SetString(PyExc_RuntimeError, "no running event loop: a C operation that does not end at once has to be "
                                            "awaited inside one (asyncio, uvloop, trio, anyio)");
        return NULL;
    }
    return &caw__asyncio;
}
