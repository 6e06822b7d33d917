/* asyncio_thread.c: a thread that watches a reactor's fd for a loop that cannot (no add_reader: Windows' proactor,
 * exotic loops).
 *
 * It is the one thread of the library that takes the GIL, and it takes it once per batch: to call
 * loop.call_soon_threadsafe(drain). Then it waits, without the GIL, until the drain has run, because the fd stays
 * readable until then.
 *
 * It holds no reference to the hub. It ends when the hub is closed, and at exit: there it has to end before the
 * interpreter does, since a thread that takes the GIL of a dead interpreter hangs or crashes. So an atexit
 * callback stops all threads and waits for them, also for those that were stopped long ago: such a thread may still
 * have to take the GIL once more, or even for the first time.
 *
 * Access: `drained`, `polling`, `stop` and `ended` are protected by `lock`; `refs` is atomic; `hub`, `next` and the
 * list are protected by the GIL; the rest is constant. A thread that holds the GIL waits here for nothing but
 * `polling`, which this one clears without the GIL.
 *
 * In a forked child there is no thread and the lock may be held for ever: nothing is touched there.
 */
#include "python/framework/asyncio_thread.h"

#include "python/loop/hub.h"

#include "core/os/condition.h"
#include "core/os/fd.h"
#include "core/os/fork.h"

#include <stdlib.h>

typedef struct asyncio_thread {
    _Atomic int refs; /* the capsule, which is the thread's, and the hub */
    caw_reactor *reactor;
    caw__hub *hub; /* borrowed; NULL once it is closed */
    struct asyncio_thread *next;
    unsigned generation; /* caw__fork_count() when made */
    caw__mutex lock;
    caw__condition changed;
    bool drained; /* the drain has run since the last call_soon_threadsafe */
    bool polling; /* the thread watches the fd */
    bool stop;    /* the hub is closed */
    bool ended;   /* the thread will not touch Python again */
} asyncio_thread;

/* The threads that have not ended. In a capsule, which the state, the threads and the atexit callback hold. */
typedef struct asyncio_threads {
    asyncio_thread *first; /* each takes itself out at its end */
    bool exiting;          /* the atexit callback has run: no more of them */
} asyncio_threads;

static void
asyncio_thread_release(asyncio_thread *thread)
{
    /* acq_rel: all uses by the other side come before the free. */
    if (atomic_fetch_sub_explicit(&thread->refs, 1, memory_order_acq_rel) == 1) {
        caw_reactor_release(thread->reactor);
        caw__condition_fini(&thread->changed);
        caw__mutex_fini(&thread->lock);
        free(thread);
    }
}

static bool
asyncio_thread_forked(const asyncio_thread *thread)
{
    return thread->generation != caw__fork_count();
}

static void
asyncio_thread_set(asyncio_thread *thread, bool *flag)
{
    if (asyncio_thread_forked(thread)) {
        return;
    }
    caw__mutex_lock(&thread->lock);
    *flag = true;
    caw__condition_broadcast(&thread->changed);
    caw__mutex_unlock(&thread->lock);
}

/* Wait until the fd is readable. False: stop. Without the GIL. */
static bool
asyncio_thread_wait_readable(asyncio_thread *thread)
{
    caw__mutex_lock(&thread->lock);
    thread->polling = !thread->stop;
    bool polling = thread->polling;
    caw__mutex_unlock(&thread->lock);
    if (polling) {
        caw__fd_wait_readable(caw_reactor_fd(thread->reactor));
    }
    caw__mutex_lock(&thread->lock);
    bool stop = thread->stop;
    thread->polling = thread->drained = false;
    caw__condition_broadcast(&thread->changed);
    caw__mutex_unlock(&thread->lock);
    return !stop;
}

/* Without the GIL. */
static void
asyncio_thread_wait_drained(asyncio_thread *thread)
{
    caw__mutex_lock(&thread->lock);
    while (!thread->drained && !thread->stop) {
        caw__condition_wait(&thread->changed, &thread->lock);
    }
    caw__mutex_unlock(&thread->lock);
}

/* Have the loop drain. False when it takes no more calls, or the hub is closed. */
static bool
asyncio_thread_call_drain(asyncio_thread *thread)
{
    if (!thread->hub) {
        return false;
    }
    caw__hub *hub = (caw__hub *)Py_NewRef(thread->hub);
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

static void
asyncio_threads_remove(asyncio_threads *threads, const asyncio_thread *thread)
{
    asyncio_thread **link = &threads->first;
    while (*link && *link != thread) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = thread->next;
    }
}

/* The thread. `capsule` has its struct, `self` the list. */
static PyObject *
asyncio_thread_main(PyObject *self, PyObject *capsule)
{
    asyncio_thread *thread = PyCapsule_GetPointer(capsule, NULL);
    bool readable;
    do {
        Py_BEGIN_ALLOW_THREADS;
        asyncio_thread_wait_drained(thread);
        readable = asyncio_thread_wait_readable(thread);
        Py_END_ALLOW_THREADS;
    } while (readable && asyncio_thread_call_drain(thread));
    asyncio_threads_remove(PyCapsule_GetPointer(self, NULL), thread);
    asyncio_thread_set(thread, &thread->ended);
    Py_RETURN_NONE;
}

static PyMethodDef asyncio_thread_main_def = {"cawait_thread", asyncio_thread_main, METH_O, NULL};

void
caw__asyncio_thread_drained(caw__hub *hub)
{
    asyncio_thread *thread = hub->attached;
    asyncio_thread_set(thread, &thread->drained);
}

static void
asyncio_thread_stop(asyncio_thread *thread)
{
    thread->hub = NULL;
    if (asyncio_thread_forked(thread)) {
        return;
    }
    asyncio_thread_set(thread, &thread->stop);
    caw_reactor_ring(thread->reactor);
    caw__mutex_lock(&thread->lock);
    while (thread->polling) { /* the caller closes the reactor next, and that uses up the ring */
        caw__condition_wait(&thread->changed, &thread->lock);
    }
    caw__mutex_unlock(&thread->lock);
    asyncio_thread_release(thread);
}

void
caw__asyncio_thread_stop(caw__hub *hub)
{
    asyncio_thread *thread = hub->attached;
    hub->attached = NULL;
    asyncio_thread_stop(thread);
}

/* --- the end of the interpreter --- */

static void
asyncio_thread_wait_ended(asyncio_thread *thread)
{
    Py_BEGIN_ALLOW_THREADS;
    caw__mutex_lock(&thread->lock);
    while (!thread->ended) {
        caw__condition_wait(&thread->changed, &thread->lock);
    }
    caw__mutex_unlock(&thread->lock);
    Py_END_ALLOW_THREADS;
}

/* A loop that still runs does so in a daemon thread. It stands still from now on, as that thread soon will; closing
 * the hub would have its tasks complain of that. Any other loop may be run once more at exit, and then gets an error.
 */
static void
asyncio_thread_stop_at_exit(caw__hub *hub)
{
    Py_INCREF(hub);
    PyObject *running = PyObject_CallMethod(hub->loop, "is_running", NULL);
    if (running == Py_True && hub->attached) {
        caw__asyncio_thread_stop(hub);
    }
    else {
        caw__hub_close(hub);
    }
    Py_XDECREF(running);
    PyErr_Clear();
    Py_DECREF(hub);
}

/* atexit: stop all threads and wait for their ends. `self` is the list's capsule. */
static PyObject *
asyncio_threads_end(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    asyncio_threads *threads = PyCapsule_GetPointer(self, NULL);
    threads->exiting = true;
    asyncio_thread *thread;
    while ((thread = threads->first)) { /* the list may change in each turn */
        atomic_fetch_add_explicit(&thread->refs, 1,
                                  memory_order_relaxed); /* relaxed: with the GIL, it is in the list */
        if (thread->hub) {
            asyncio_thread_stop_at_exit(thread->hub);
        }
        if (asyncio_thread_forked(thread)) {
            asyncio_threads_remove(threads, thread);
        }
        else {
            asyncio_thread_wait_ended(thread);
        }
        asyncio_thread_release(thread);
    }
    Py_RETURN_NONE;
}

static PyMethodDef asyncio_threads_end_def = {"cawait_end_threads", asyncio_threads_end, METH_NOARGS, NULL};

static void
asyncio_threads_free(PyObject *capsule)
{
    free(PyCapsule_GetPointer(capsule, NULL));
}

static int
asyncio_threads_register_atexit(PyObject *threads)
{
    PyObject *end = PyCFunction_New(&asyncio_threads_end_def, threads);
    PyObject *atexit = end ? PyImport_ImportModule("atexit") : NULL;
    PyObject *done = atexit ? PyObject_CallMethod(atexit, "register", "O", end) : NULL;
    Py_XDECREF(atexit);
    Py_XDECREF(end);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* The capsule of the state's list, which is made at the first call: a borrowed reference. NULL with an exception. */
static PyObject *
asyncio_threads_of(caw__state *state)
{
    if (state->asyncio_threads) {
        return state->asyncio_threads;
    }
    asyncio_threads *threads = calloc(1, sizeof *threads);
    PyObject *capsule = threads ? PyCapsule_New(threads, NULL, asyncio_threads_free) : PyErr_NoMemory();
    if (!capsule) {
        free(threads);
        return NULL;
    }
    if (asyncio_threads_register_atexit(capsule) < 0) {
        Py_DECREF(capsule);
        return NULL;
    }
    return state->asyncio_threads = capsule;
}

/* --- the start --- */

static asyncio_thread *
asyncio_thread_new(caw__hub *hub)
{
    asyncio_thread *thread = calloc(1, sizeof *thread);
    if (!thread) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&thread->refs, 2);
    thread->reactor = caw_reactor_retain(hub->inbox->reactor);
    thread->hub = hub;
    thread->drained = true; /* nothing to wait for yet */
    thread->generation = caw__fork_count();
    caw__mutex_init(&thread->lock);
    caw__condition_init(&thread->changed);
    return thread;
}

static void
asyncio_thread_capsule_free(PyObject *capsule)
{
    asyncio_thread_release(PyCapsule_GetPointer(capsule, NULL));
}

/* -1 with an exception. The new thread takes its references to the capsules. */
static int
asyncio_thread_run(PyObject *threads, PyObject *capsule)
{
    PyObject *module = PyImport_ImportModule("_thread");
    PyObject *run = module ? PyCFunction_New(&asyncio_thread_main_def, threads) : NULL;
    PyObject *started = run ? PyObject_CallMethod(module, "start_new_thread", "O(O)", run, capsule) : NULL;
    Py_XDECREF(run);
    Py_XDECREF(module);
    Py_XDECREF(started);
    return started ? 0 : -1;
}

int
caw__asyncio_thread_start(caw__hub *hub)
{
    PyObject *list = asyncio_threads_of(hub->state);
    if (!list) {
        return -1;
    }
    asyncio_threads *threads = PyCapsule_GetPointer(list, NULL);
    if (threads->exiting) {
        PyErr_SetString(PyExc_RuntimeError, "can't create new thread at interpreter shutdown");
        return -1;
    }
    asyncio_thread *thread = asyncio_thread_new(hub);
    if (!thread) {
        return -1;
    }
    PyObject *capsule = PyCapsule_New(thread, NULL, asyncio_thread_capsule_free);
    if (!capsule) {
        asyncio_thread_release(thread);
        asyncio_thread_release(thread);
        return -1;
    }
    /* In the list first: it may end before the call returns. */
    thread->next = threads->first;
    threads->first = thread;
    int started = asyncio_thread_run(list, capsule);
    Py_DECREF(capsule);
    if (started < 0) {
        asyncio_threads_remove(threads, thread);
        asyncio_thread_stop(thread);
        return -1;
    }
    hub->attached = thread;
    return 0;
}
