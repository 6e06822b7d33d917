/* asyncio.c: the framework asyncio, and loops that speak its protocol. Nothing is imported that the program has not
 * imported itself. */
#include "python/framework/asyncio.h"

#include "python/framework/asyncio_attach.h"
#include "python/framework/asyncio_task.h"
#include "python/framework/asyncio_thread.h"
#include "python/loop/hub.h"

/* The module's namespace: a new reference, or NULL with an exception. */
static PyObject *
asyncio_namespace(PyObject *module)
{
    PyObject *dict = module && PyModule_Check(module) ? PyModule_GetDict(module) : NULL; /* borrowed */
    if (module && !dict) {
        PyErr_SetString(PyExc_TypeError, "asyncio is no module");
    }
    return Py_XNewRef(dict);
}

/* asyncio's namespaces, once it is there. 0 when it is not: then no loop of it runs either. -1 with an exception. */
static int
asyncio_load(caw__state *state)
{
    if (state->cancelled_error) {
        return 1;
    }
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    PyObject *asyncio = modules ? PyDict_GetItemWithError(modules, state->names.asyncio) : NULL;
    if (!asyncio) {
        return PyErr_Occurred() ? -1 : 0;
    }
    Py_INCREF(asyncio);
    PyObject *events = PyObject_GetAttrString(asyncio, "events");
    PyObject *in_events = asyncio_namespace(events);
    PyObject *in_asyncio = in_events ? asyncio_namespace(asyncio) : NULL;
    PyObject *error = in_asyncio ? PyObject_GetAttrString(asyncio, "CancelledError") : NULL;
    Py_DECREF(asyncio);
    Py_XDECREF(events);
    if (!error) {
        Py_XDECREF(in_events);
        Py_XDECREF(in_asyncio);
        return -1;
    }
    Py_XSETREF(state->in_events, in_events);
    Py_XSETREF(state->in_asyncio, in_asyncio);
    Py_XSETREF(state->cancelled_error, error); /* last: it says that the others are there */
    return 1;
}

/* A function of asyncio's, as it is now: packages replace them, at their import (trio-asyncio) or later. A new
 * reference, or NULL with an exception. */
static PyObject *
asyncio_function(PyObject *namespace, PyObject *name)
{
    PyObject *function = PyDict_GetItemWithError(namespace, name);
    if (!function && !PyErr_Occurred()) {
        PyErr_SetObject(PyExc_AttributeError, name);
    }
    return Py_XNewRef(function);
}

int
caw__asyncio_running_loop(caw__state *state, PyObject **loop)
{
    *loop = NULL;
    int loaded = asyncio_load(state);
    if (loaded <= 0) {
        return loaded;
    }
    PyObject *function = asyncio_function(state->in_events, state->names._get_running_loop);
    *loop = function ? PyObject_CallNoArgs(function) : NULL;
    Py_XDECREF(function);
    if (*loop == Py_None) {
        Py_CLEAR(*loop);
        return 0;
    }
    return *loop ? 1 : -1;
}

/* The loop's current task, or None: a new reference; NULL with an exception. */
static PyObject *
asyncio_current_task(caw__state *state, PyObject *loop)
{
    PyObject *function = asyncio_function(state->in_asyncio, state->names.current_task);
    PyObject *task = function ? PyObject_CallOneArg(function, loop) : NULL;
    Py_XDECREF(function);
    return task;
}

PyObject *
caw__asyncio_current_coroutine(caw__state *state, PyObject *loop)
{
    PyObject *task = asyncio_current_task(state, loop);
    PyObject *coroutine = task && task != Py_None ? PyObject_CallMethod(task, "get_coro", NULL) : NULL;
    Py_XDECREF(task);
    caw__forget_raised();
    return coroutine;
}

PyObject *
caw__asyncio_running_mark(caw__state *state)
{
    if (!CAW__HAS_RUNNING_MARK) {
        return NULL; /* it is in the thread state since 3.13, and asking for it costs as little as this did */
    }
    /* Where `_asynciomodule.c: set_running_loop` keeps the loop, or on 3.10 and 3.11 what holds the loop. */
    PyObject *dict = PyThreadState_GetDict(); /* borrowed, as is its item */
    return dict ? PyDict_GetItemWithError(dict, state->names.__asyncio_running_event_loop__) : NULL;
}

bool
caw__is_cancellation(caw__state *state, PyObject *exception)
{
    return state->cancelled_error && PyErr_GivenExceptionMatches(exception, state->cancelled_error);
}

/* Not in debug mode, which times and attributes every callback; not while a task is current: it cannot be entered
 * twice. */
static int
asyncio_may_step(caw__hub *hub)
{
    caw__state *state = hub->state;
    PyObject *loop = hub->loop;
    PyObject *debug = PyObject_CallMethodNoArgs(loop, state->names.get_debug);
    PyObject *task = debug ? asyncio_current_task(state, loop) : NULL;
    int may = task == Py_None && PyObject_IsTrue(debug) == 0;
    Py_XDECREF(debug);
    Py_XDECREF(task);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1; /* a signal handler's KeyboardInterrupt */
    }
    PyErr_Clear(); /* a loop that has no such methods gets the slower way */
    return may;
}

static PyObject *
asyncio_suspend(caw__hub *hub, caw__waiter *w)
{
    (void)hub; /* the task gets the loop by park.get_loop() */
    w->blocking = true;
    return Py_NewRef((PyObject *)w->park);
}

/* loop.call_soon(callback, park, context=context) */
static int
asyncio_resume(caw__hub *hub, caw__waiter *w)
{
    const caw__state *state = hub->state;
    PyObject *callback = Py_NewRef(w->callback), *context = Py_NewRef(w->context), *loop = Py_NewRef(hub->loop);
    PyObject *park = Py_NewRef((PyObject *)w->park);
    PyObject *args[] = {loop, callback, park, context};
    PyObject *handle = PyObject_VectorcallMethod(state->names.call_soon, args, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                                 state->call_soon_kwnames);
    if (handle) {
        caw__hub_drop_callback(w); /* the loop has it now */
    }
    Py_DECREF(park);
    Py_DECREF(loop);
    Py_DECREF(context);
    Py_DECREF(callback);
    Py_XDECREF(handle);
    return handle ? 0 : -1;
}

/* Whether this method of the loop returns a true value. */
static bool
asyncio_loop_says(PyObject *loop, const char *method)
{
    PyObject *answer = PyObject_CallMethod(loop, method, NULL);
    bool yes = answer && PyObject_IsTrue(answer) > 0;
    Py_XDECREF(answer);
    PyErr_Clear();
    return yes;
}

static caw_py_loop_state
asyncio_loop_state(caw__hub *hub)
{
    PyObject *loop = Py_NewRef(hub->loop);
    caw_py_loop_state state = asyncio_loop_says(loop, "is_closed")    ? CAW_PY_LOOP_CLOSED
                              : asyncio_loop_says(loop, "is_running") ? CAW_PY_LOOP_RUNNING
                                                                      : CAW_PY_LOOP_STOPPED;
    Py_DECREF(loop);
    return state;
}

const caw__framework caw__asyncio = {
    .attach = caw__asyncio_attach,
    .detach = caw__asyncio_thread_stop,
    .draining = caw__asyncio_thread_draining,
    .drained = caw__asyncio_thread_drained,
    .mark = caw__asyncio_running_mark,
    .may_step = asyncio_may_step,
    .suspend = asyncio_suspend,
    .resume = asyncio_resume,
    .begin = caw__asyncio_begin,
    .cancel = caw__asyncio_cancel,
    .loop_state = asyncio_loop_state,
    .may_leave = true,
    .stays = false,
    .holds = true,
};
