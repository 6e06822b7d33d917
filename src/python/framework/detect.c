/* detect.c: which framework runs here. */
#include "python/loop/framework.h"

#include "python/framework/asyncio.h"
#include "python/framework/trio.h"

/* The frame of a task's coroutine, or NULL. Never raises. */
static PyObject *
framework_task_frame(PyObject *coroutine)
{
    PyObject *frame = coroutine ? PyObject_GetAttrString(coroutine, "cr_frame") : NULL;
    caw__forget_raised();
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
    bool known = outer != NULL; /* else it would be trio wherever it is */
    Py_XDECREF((PyObject *)frame);
    Py_XDECREF(outer);
    Py_XDECREF(inner);
    return known && (is_trio || !found);
}

/* Both run. Who was stepped last has entered its context last; where other code has entered one since, the frames tell. A
 * coroutine that is a task by itself has no frame among those that are being run. In guest mode trio's tasks are stepped by
 * a callback of the host loop: then asyncio has no current task. */
static bool
framework_is_trio(caw__state *state, const caw__coroutine *c, PyObject *loop, PyObject *task)
{
    PyObject *mine = caw__asyncio_current_coroutine(state, loop);
    if (!mine) {
        return true;
    }
    PyObject *other = PyObject_GetAttrString(task, "coro"), *context = PyObject_GetAttrString(task, "context");
    PyErr_Clear();
    bool is_trio = mine != (PyObject *)c && (other == (PyObject *)c || context == PyThreadState_Get()->context ||
                                             framework_trio_is_inside(mine, other));
    Py_XDECREF(context);
    Py_XDECREF(other);
    Py_DECREF(mine);
    return is_trio;
}

int
caw__framework_trio_task(caw__state *state, const caw__coroutine *c, PyObject **task)
{
    int found = caw__trio_task(state, task);
    if (found <= 0) {
        return found;
    }
    PyObject *loop;
    int runs = caw__asyncio_running_loop(state, &loop);
    if (runs < 0 || (runs > 0 && !framework_is_trio(state, c, loop, *task))) {
        Py_CLEAR(*task);
        found = runs < 0 ? -1 : 0;
    }
    Py_XDECREF(loop);
    return found;
}

const caw__framework *
caw__framework_running(caw__state *state, const caw__coroutine *c, PyObject **loop)
{
    PyObject *task;
    if (caw__asyncio_running_loop(state, loop) < 0) {
        return NULL;
    }
    int found = caw__trio_task(state, &task);
    if (found > 0 && (!*loop || framework_is_trio(state, c, *loop, task))) {
        Py_XSETREF(*loop, caw__trio_run_of(state, task));
        Py_DECREF(task);
        return *loop ? &caw__trio : NULL;
    }
    Py_XDECREF(task);
    if (found < 0) {
        Py_CLEAR(*loop);
        return NULL;
    }
    if (!*loop) {
        PyErr_SetString(PyExc_RuntimeError, "no running event loop: a C operation that does not end at once has to be "
                                            "awaited inside one (asyncio, uvloop, trio, anyio)");
        return NULL;
    }
    return &caw__asyncio;
}
