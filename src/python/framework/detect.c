/* detect.c: which framework runs here, found out when it matters; and the hub of its loop. */
#include "python/framework/detect.h"

#include "python/framework/asyncio.h"
#include "python/framework/trio.h"
#include "python/framework/trio_api.h"
#include "python/loop/hub.h"

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

/* Whether a loop of asyncio on top of trio's (trio-asyncio) calls back now: it says so to sniffio. trio does the same
 * for its own steps, asyncio's own loops say nothing. Never raises. */
static bool
framework_says_asyncio(const caw__state *state)
{
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    PyObject *sniffio = modules ? Py_XNewRef(PyDict_GetItemWithError(modules, state->names.sniffio)) : NULL;
    PyObject *name = sniffio ? PyObject_CallMethod(sniffio, "current_async_library", NULL) : NULL;
    bool is_asyncio = name && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "asyncio") == 0;
    Py_XDECREF(name);
    Py_XDECREF(sniffio);
    caw__forget_raised();
    return is_asyncio;
}

/* Both run. The task that was stepped last has entered its context last; where other code has entered one since, the
 * frames decide. A coroutine that is a task by itself has no frame among those that are being run. In guest mode
 * trio's tasks are stepped by a callback of the host loop: then asyncio has no current task. */
static bool
framework_is_trio(caw__state *state, const caw__waiter *w, PyObject *loop, PyObject *task)
{
    if (framework_says_asyncio(state)) {
        return false;
    }
    PyObject *mine = caw__asyncio_current_coroutine(state, loop);
    if (!mine) {
        return true;
    }
    PyObject *other = PyObject_GetAttrString(task, "coro"), *context = PyObject_GetAttrString(task, "context");
    PyErr_Clear();
    bool is_trio = mine != (PyObject *)w && (other == (PyObject *)w || context == PyThreadState_Get()->context ||
                                             framework_trio_is_inside(mine, other));
    Py_XDECREF(context);
    Py_XDECREF(other);
    Py_DECREF(mine);
    return is_trio;
}

int
caw__framework_trio_task(caw__state *state, const caw__waiter *w, PyObject **task)
{
    int found = caw__trio_task(state, task);
    if (found <= 0) {
        return found;
    }
    PyObject *loop;
    int runs = caw__asyncio_running_loop(state, &loop);
    if (runs < 0 || (runs > 0 && !framework_is_trio(state, w, loop, *task))) {
        Py_CLEAR(*task);
        found = runs < 0 ? -1 : 0;
    }
    Py_XDECREF(loop);
    return found;
}

const caw__framework *
caw__framework_running(caw__state *state, const caw__waiter *w, PyObject **loop)
{
    PyObject *task;
    if (caw__asyncio_running_loop(state, loop) < 0) {
        return NULL;
    }
    int found = caw__trio_task(state, &task);
    if (found > 0 && (!*loop || framework_is_trio(state, w, *loop, task))) {
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

/* --- its hub --- */

/* Make a hub that the loop owns. Borrowed. */
static caw__hub *
hub_attach(caw__state *state, const caw__framework *framework, PyObject *loop)
{
    caw__hub *hub = caw__hub_new(state, framework, loop);
    if (!hub || framework->attach(hub) < 0) {
        Py_XDECREF(hub);
        return NULL;
    }
    Py_DECREF(hub); /* what attach gave to the loop keeps it */
    return hub;
}

/* The hub of the loop; NULL with an exception, and the status that says the same to a future. */
static caw__hub *
hub_of_loop(caw__state *state, const caw__framework *framework, PyObject *loop, int *status)
{
    caw__hub *hub = state->hubs;
    while (hub && hub->loop != loop) {
        hub = hub->next;
    }
    if (!hub) {
        hub = hub_attach(state, framework, loop);
        *status = hub ? 0 : PyErr_ExceptionMatches(PyExc_MemoryError) ? CAW_ENOMEM : CAW_ENOREACTOR;
    }
    else if (caw__reactor_forked(hub->inbox->reactor)) {
        hub = NULL;
        *status = CAW_EFORKED;
        caw_py_set_error(*status);
    }
    return hub;
}

caw__hub *
caw__hub_current(caw__state *state, const caw__waiter *w, int *status)
{
    /* In a drain it is the loop of the hub that drains, and a call of asyncio's costs up to 100 ns (getpid on 3.10
     * and 3.11). Unless a step runs another loop inside itself. */
    caw__hub *recent = CAW__HAS_RUNNING_MARK ? state->recent : NULL;
    if (recent && recent->drainer == PyThreadState_Get() && recent->mark &&
        recent->mark == caw__asyncio_running_mark(state)) {
        PyObject *task;
        int found = caw__trio_task(state, &task);
        Py_XDECREF(task);
        if (found <= 0) {
            *status = CAW_ENOREACTOR;
            return found == 0 ? recent : NULL;
        }
    }
    PyObject *loop;
    const caw__framework *framework = caw__framework_running(state, w, &loop);
    if (!framework) {
        *status = CAW_ENOREACTOR;
        return NULL;
    }
    caw__hub *hub = hub_of_loop(state, framework, loop, status);
    Py_DECREF(loop);
    return hub;
}

caw_py_locals *
caw__locals_capture(caw__state *state, const caw__waiter *w, int *status)
{
    caw__hub *hub = caw__hub_current(state, w, status);
    caw_py_locals *locals = hub ? caw__locals_new(hub->inbox) : NULL;
    if (hub && !locals) {
        *status = CAW_ENOMEM;
    }
    return locals;
}

bool
caw__is_cancellation_of_any(caw__state *state, PyObject *exception)
{
    PyObject *trios = state->trio.cancelled;
    return caw__is_cancellation(state, exception) || (trios && PyErr_GivenExceptionMatches(exception, trios)) ||
           PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit);
}
