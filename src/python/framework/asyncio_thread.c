/* asyncio_thread.c: a thread that watches a reactor's fd for a loop that cannot (no add_reader: Windows' proactor, exotic loops).
 *
 * It is the one thread of the library that takes the GIL, and it takes it once per batch: to call
 * loop.call_soon_threadsafe(drain). Then it waits, without the GIL, until the drain has run, because the fd stays
 * readable until then.
 *
 * It holds no reference to the hub. It ends when the hub is closed, and at exit: there it has to end before the
 * interpreter does, since a thread that asks for the GIL of a dead interpreter hangs or crashes. So an atexit
 * callback stops it and waits.
 *
 * Access: `drained`, `polling`, `stop` and `ended` are protected by `lock`; `refs` is atomic; `hub` is protected by the
 * GIL; the rest is constant. Nobody who holds the GIL waits for the thread, but for `polling`, which it clears without.
 *
 * In a forked child there is no thread and the lock may be held for ever: nothing is touched there.
 */
#include "python/framework/asyncio.h"

#include "core/os/condition.h"
#include "core/os/fd.h"
#include "core/os/fork.h"

#include <stdlib.h>

struct caw__helper {
    _Atomic int refs; /* the capsule, which is the thread's, and the hub */
    caw_reactor *reactor;
    caw__hub *hub;       /* borrowed; NULL once it is closed */
    unsigned generation; /* caw__fork_count() when made */
    caw__mutex lock;
    caw__condition changed;
    bool drained; /* the drain has run since the last call_soon_threadsafe */
    bool polling; /* the thread watches the fd */
    bool stop;    /* the hub is closed */
    bool ended;   /* the thread will not touch Python again */
};

static void
asyncio_thread_release(caw__helper *helper)
{
    /* acq_rel: all uses by the other side come before the free. */
    if (atomic_fetch_sub_explicit(&helper->refs, 1, memory_order_acq_rel) == 1) {
        caw_reactor_release(helper->reactor);
        caw__condition_fini(&helper->changed);
        caw__mutex_fini(&helper->lock);
        free(helper);
    }
}

static bool
asyncio_thread_forked(const caw__helper *helper)
{
    return helper->generation != caw__fork_count();
}

static void
asyncio_thread_set(caw__helper *helper, bool *flag)
{
    if (asyncio_thread_forked(helper)) {
        return;
    }
    caw__mutex_lock(&helper->lock);
    *flag = true;
    caw__condition_broadcast(&helper->changed);
    caw__mutex_unlock(&helper->lock);
}

/* Wait until the fd is readable. False: stop. Without the GIL. */
static bool
asyncio_thread_wait_readable(caw__helper *helper)
{
    caw__mutex_lock(&helper->lock);
    helper->polling = !helper->stop;
    bool polling = helper->polling;
    caw__mutex_unlock(&helper->lock);
    if (polling) {
        caw__fd_wait_readable(caw_reactor_fd(helper->reactor));
    }
    caw__mutex_lock(&helper->lock);
    bool stop = helper->stop;
    helper->polling = helper->drained = false;
    caw__condition_broadcast(&helper->changed);
    caw__mutex_unlock(&helper->lock);
    return !stop;
}

/* Without the GIL. */
static void
asyncio_thread_wait_drained(caw__helper *helper)
{
    caw__mutex_lock(&helper->lock);
    while (!helper->drained && !helper->stop) {
        caw__condition_wait(&helper->changed, &helper->lock);
    }
    caw__mutex_unlock(&helper->lock);
}

/* Have the loop drain. False when it takes no more calls, or the hub is closed. */
static bool
asyncio_thread_call_drain(caw__helper *helper)
{
    if (!helper->hub) {
        return false;
    }
    caw__hub *hub = (caw__hub *)Py_NewRef(helper->hub);
    PyObject *drain = PyObject_GetAttrString((PyObject *)hub, "drain");
    PyObject *handle = drain ? PyObject_CallMethod(hub->loop, "call_soon_threadsafe", "O", drain) : NULL;
    if (!handle) {
        if (!PyErr_ExceptionMatches(PyExc_RuntimeError)) { /* RuntimeError: the loop is closed */
            PyErr_WriteUnraisable((PyObject *)hub);
        }
        PyErr_Clear();
        caw__hub_close(hub);
    }
    bool called = handle != NULL;
    Py_XDECREF(handle);
    Py_XDECREF(drain);
    Py_DECREF(hub); /* may be the last reference, and stop this thread */
    return called;
}

/* The thread. `capsule` holds the helper. */
static PyObject *
asyncio_thread_main(PyObject *Py_UNUSED(self), PyObject *capsule)
{
    caw__helper *helper = PyCapsule_GetPointer(capsule, NULL);
    bool readable;
    do {
        Py_BEGIN_ALLOW_THREADS;
        asyncio_thread_wait_drained(helper);
        readable = asyncio_thread_wait_readable(helper);
        Py_END_ALLOW_THREADS;
    } while (readable && asyncio_thread_call_drain(helper));
    asyncio_thread_set(helper, &helper->ended);
    Py_RETURN_NONE;
}

static PyMethodDef asyncio_thread_main_def = {"cawait_helper", asyncio_thread_main, METH_O, NULL};

void
caw__asyncio_thread_drained(caw__helper *helper)
{
    asyncio_thread_set(helper, &helper->drained);
}

void
caw__asyncio_thread_stop(caw__helper *helper)
{
    helper->hub = NULL;
    if (asyncio_thread_forked(helper)) {
        return;
    }
    asyncio_thread_set(helper, &helper->stop);
    caw_reactor_ring(helper->reactor);
    caw__mutex_lock(&helper->lock);
    while (helper->polling) { /* the caller closes the reactor next, and that uses up the ring */
        caw__condition_wait(&helper->changed, &helper->lock);
    }
    caw__mutex_unlock(&helper->lock);
    asyncio_thread_release(helper);
}

/* --- the end of the interpreter --- */

static void
asyncio_thread_wait_ended(caw__helper *helper)
{
    Py_BEGIN_ALLOW_THREADS;
    caw__mutex_lock(&helper->lock);
    while (!helper->ended) {
        caw__condition_wait(&helper->changed, &helper->lock);
    }
    caw__mutex_unlock(&helper->lock);
    Py_END_ALLOW_THREADS;
}

/* A loop that still runs does so in a daemon thread. It stands still from now on, as that thread soon will; closing the hub
 * would have its tasks complain of that. Any other loop may be run once more at exit, and then gets an error. */
static void
asyncio_thread_stop_at_exit(caw__hub *hub)
{
    Py_INCREF(hub);
    PyObject *running = PyObject_CallMethod(hub->loop, "is_running", NULL);
    caw__helper *helper = running == Py_True ? hub->helper : NULL;
    if (helper) {
        hub->helper = NULL;
        caw__asyncio_thread_stop(helper);
    }
    else {
        caw__hub_close(hub);
    }
    Py_XDECREF(running);
    PyErr_Clear();
    Py_DECREF(hub);
}

/* atexit: stop all helpers of this module and wait for their threads. `self` is the bridge's module. */
static PyObject *
asyncio_thread_stop_all(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    caw__state *state = PyModule_GetState(self);
    caw__hub *hub = state->hubs;
    while (hub) {
        if (!hub->helper) {
            hub = hub->next;
            continue;
        }
        caw__helper *helper = hub->helper;
        atomic_fetch_add_explicit(&helper->refs, 1, memory_order_relaxed); /* relaxed: the hub has a reference */
        asyncio_thread_stop_at_exit(hub);
        if (!asyncio_thread_forked(helper)) {
            asyncio_thread_wait_ended(helper);
        }
        asyncio_thread_release(helper);
        hub = state->hubs; /* the list may have changed meanwhile */
    }
    Py_RETURN_NONE;
}

static PyMethodDef asyncio_thread_stop_all_def = {"cawait_stop_helpers", asyncio_thread_stop_all, METH_NOARGS, NULL};

static int
asyncio_thread_register_atexit(caw__state *state)
{
    if (state->asyncio_thread_registered) {
        return 0;
    }
    PyObject *module = ((PyHeapTypeObject *)state->hub_type)->ht_module;
    PyObject *stop = PyCFunction_New(&asyncio_thread_stop_all_def, module);
    PyObject *atexit = stop ? PyImport_ImportModule("atexit") : NULL;
    PyObject *done = atexit ? PyObject_CallMethod(atexit, "register", "O", stop) : NULL;
    state->asyncio_thread_registered = done != NULL;
    Py_XDECREF(done);
    Py_XDECREF(atexit);
    Py_XDECREF(stop);
    return state->asyncio_thread_registered ? 0 : -1;
}

/* --- the start --- */

static caw__helper *
asyncio_thread_new(caw__hub *hub)
{
    caw__helper *helper = calloc(1, sizeof *helper);
    if (!helper) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&helper->refs, 2);
    helper->reactor = caw_reactor_retain(hub->inbox->reactor);
    helper->hub = hub;
    helper->drained = true; /* nothing to wait for yet */
    helper->generation = caw__fork_count();
    caw__mutex_init(&helper->lock);
    caw__condition_init(&helper->changed);
    return helper;
}

static void
asyncio_thread_capsule_free(PyObject *capsule)
{
    asyncio_thread_release(PyCapsule_GetPointer(capsule, NULL));
}

int
caw__asyncio_thread_start(caw__hub *hub)
{
    if (asyncio_thread_register_atexit(hub->state) < 0) {
        return -1;
    }
    caw__helper *helper = asyncio_thread_new(hub);
    if (!helper) {
        return -1;
    }
    PyObject *capsule = PyCapsule_New(helper, NULL, asyncio_thread_capsule_free);
    if (!capsule) {
        asyncio_thread_release(helper);
        asyncio_thread_release(helper);
        return -1;
    }
    PyObject *thread = PyImport_ImportModule("_thread");
    PyObject *run = thread ? PyCFunction_New(&asyncio_thread_main_def, NULL) : NULL;
    PyObject *started = run ? PyObject_CallMethod(thread, "start_new_thread", "O(O)", run, capsule) : NULL;
    Py_XDECREF(run);
    Py_XDECREF(thread);
    Py_DECREF(capsule);
    if (!started) { /* perhaps it was, and there is only no memory for its number */
        caw__asyncio_thread_stop(helper);
        return -1;
    }
    Py_DECREF(started);
    hub->helper = helper;
    return 0;
}
