/* held_up.c: what a thread holds up while it sleeps, as the core asks it of any thread, for any module. So it is looked
 * up in sys.modules each time, and not kept. */
#include "python/coroutine/held_up.h"

#include "python/base/python_code.h"
#include "python/coroutine/poll.h"

#include "core/base/block.h"

static const void *
held_up_lock(void)
{
    return caw__has_gil() ? caw__gil() : NULL;
}

/* With the GIL. What is returned is borrowed: the loop runs, or something else than a loop stands for trio's run. */
static const void *
held_up_running(void)
{
    PyObject *raised = caw__take_raised();
    PyObject *loop = caw__call_imported("asyncio.events", "_get_running_loop");
    if (loop == Py_None) {
        Py_CLEAR(loop);
    }
    const void *running = loop;
    if (!loop) {
        PyObject *token = caw__call_imported("trio.lowlevel", "current_trio_token");
        running = token ? &caw__poll_host : NULL;
        Py_XDECREF(token);
    }
    Py_XDECREF(loop);
    if (raised) {
        caw__raise(raised);
    }
    return running;
}

/* A thread that has never had the GIL runs no loop. One that has released it takes it for a moment; it will need it
 * anyway, to go on in its loop. */
static const void *
held_up_loop(void)
{
    const void *running = NULL;
    PyThreadState *released = caw__gil_released;
    if (caw__has_gil()) {
        running = held_up_running();
    }
    else if (released) {
        caw__gil_take(released);
        running = held_up_running();
        caw__gil_give(released);
    }
    else if (Py_IsInitialized() && PyGILState_GetThisThreadState()) {
        PyGILState_STATE before = PyGILState_Ensure();
        running = held_up_running();
        PyGILState_Release(before);
    }
    return running;
}

static const caw__loop_ops held_up_ops = {held_up_lock, held_up_loop};

void
caw__held_up_watch(void)
{
    caw__block_watch(&held_up_ops);
}
