/* asyncio.c: the framework asyncio, and loops that speak its protocol. Nothing is imported that the program has not
 * imported itself. */
#include "python/framework/asyncio.h"

#include "python/framework/asyncio_task.h"
#include "python/framework/asyncio_thread.h"
#include "python/loop/hub.h"

/* asyncio's functions, once it is there. 0 when it is not: then no loop of it runs either. -1 with an exception. */
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

int
caw__asyncio_running_loop(caw__state *state, PyObject **loop)
{
    *loop = NULL;
    int loaded = asyncio_load(state);
    if (loaded <= 0) {
        return loaded;
    }
    *loop = PyObject_CallNoArgs(state->get_running_loop);
    if (*loop == Py_None) {
        Py_CLEAR(*loop);
        return 0;
    }
    return *loop ? 1 : -1;
}

PyObject *
caw__asyncio_current_coroutine(caw__state *state, PyObject *loop)
{
    PyObject *task = PyObject_CallOneArg(state->current_task, loop);
    PyObject *coroutine = task && task != Py_None ? PyObject_CallMethod(task, "get_coro", NULL) : NULL;
    Py_XDECREF(task);
    caw__forget_raised();
    return coroutine;
}

PyObject *
caw__asyncio_running_mark(caw__state *state)
{
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
    PyObject *task = debug ? PyObject_CallOneArg(state->current_task, loop) : NULL;
    int may = task == Py_None && PyObject_IsTrue(debug) == 0;
    Py_XDECREF(debug);
    Py_XDECREF(task);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1; /* a signal handler's KeyboardInterrupt */
    }
    PyErr_Clear(); /* a loop that has no such methods gets the slower way */
    return may;
}

/* After add_reader failed half way (no memory, Ctrl-C): a loop that still has the fd in its table would never watch
 * the next one of that number. */
static void
asyncio_remove_reader(caw__hub *hub, PyObject *fd)
{
    PyObject *raised = caw__take_raised();
    PyObject *removed = PyObject_CallMethod(hub->loop, "remove_reader", "O", fd);
    Py_XDECREF(removed);
    PyErr_Clear();
    caw__raise(raised);
}

/* loop.add_reader(fd, drain): the loop drops its readers when it is closed. 0: it cannot watch fds. */
static int
asyncio_add_reader(caw__hub *hub, PyObject *drain)
{
    PyObject *fd = PyLong_FromLong(caw_reactor_fd(hub->inbox->reactor));
    if (!fd) {
        return -1;
    }
    int result = 1;
    PyObject *added = PyObject_CallMethodObjArgs(hub->loop, hub->state->names.add_reader, fd, drain, NULL);
    if (!added && PyErr_ExceptionMatches(PyExc_NotImplementedError)) {
        PyErr_Clear();
        result = 0;
    }
    else if (!added) {
        asyncio_remove_reader(hub, fd);
        result = -1;
    }
    Py_XDECREF(added);
    Py_DECREF(fd);
    return result;
}

/* Have a thread watch the fd; and let the loop own the hub by a timer that is never due in practice (30 years), since
 * it drops its timers too when it is closed (BaseEventLoop.close). */
static int
asyncio_add_thread(caw__hub *hub, PyObject *drain)
{
    if (caw__asyncio_thread_start(hub) < 0) {
        return -1;
    }
    PyObject *timer = PyObject_CallMethod(hub->loop, "call_later", "dO", 1e9, drain);
    if (!timer) {
        caw__hub_close(hub);
        return -1;
    }
    Py_DECREF(timer);
    return 0;
}

static int
asyncio_attach_drain(caw__hub *hub, PyObject *drain)
{
    /* In an empty context: the loop keeps the context that it is called in for as long as it keeps the callback. */
    PyObject *context = PyContext_New();
    if (!context || PyContext_Enter(context) < 0) {
        Py_XDECREF(context);
        return -1;
    }
    int added = asyncio_add_reader(hub, drain);
    if (added == 0) {
        added = asyncio_add_thread(hub, drain);
    }
    PyObject *raised = added < 0 ? caw__take_raised() : NULL;
    int left = PyContext_Exit(context);
    Py_DECREF(context);
    if (raised) {
        caw__raise(raised);
    }
    return added < 0 || left < 0 ? -1 : 0;
}

static int
asyncio_attach(caw__hub *hub)
{
    PyObject *drain = PyObject_GetAttrString((PyObject *)hub, "drain");
    int attached = drain ? asyncio_attach_drain(hub, drain) : -1;
    Py_XDECREF(drain);
    return attached;
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
    .attach = asyncio_attach,
    .detach = caw__asyncio_thread_stop,
    .drained = caw__asyncio_thread_drained,
    .mark = caw__asyncio_running_mark,
    .may_step = asyncio_may_step,
    .suspend = asyncio_suspend,
    .resume = asyncio_resume,
    .begin = caw__asyncio_begin,
    .cancel = caw__asyncio_cancel,
    .loop_state = asyncio_loop_state,
    .may_leave = true,
    .holds = true,
};
