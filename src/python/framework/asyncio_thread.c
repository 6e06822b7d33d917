/* asyncio_thread.c: a thread that watches a reactor's fd for a loop that cannot (no add_reader: Windows' proactor,
 * PySide6's QtAsyncio).
 *
 * It is the one thread of the library that takes the GIL, and it takes it once per batch: to call
 * loop.call_soon_threadsafe(drain). Then it waits, without the GIL, until the drain has run, because the fd stays
 * readable until then. A drain that has begun and does not end may have run the loop inside one of its steps, as a
 * modal dialog does: after NESTED_NS the loop is called once more. A drain inside that one ends the wait, so what comes
 * afterwards is not late.
 *
 * It is a native thread with a thread state that it makes itself. One of the module `_thread` would not do: where
 * gevent has patched the process, that is a greenlet of the loop's own thread, and would block it.
 *
 * It holds no reference to the hub. It ends when the hub is closed, and at exit: there it has to end before the
 * interpreter does, since a thread that takes the GIL of a dead interpreter hangs or crashes. So an atexit
 * callback stops all threads and waits for them, also for those that were stopped long ago: such a thread may still
 * have to take the GIL once more, or even for the first time.
 *
 * Access: `begun`, `draining`, `drained`, `polling`, `stop` and `ended` are protected by `lock`; `refs` is atomic;
 * `hub`, `next` and the list are protected by the GIL; the rest is constant. A thread that holds the GIL waits here for
 * nothing but `polling`, which this one clears without the GIL.
 *
 * In a forked child there is no thread and the lock may be held for ever: nothing is touched there.
 */
#include "python/framework/asyncio_thread.h"

#include "python/base/python_code.h"
#include "python/loop/hub.h"

#include "core/os/condition.h"
#include "core/os/fd.h"
#include "core/os/fork.h"
#include "core/os/thread.h"

#include <stdlib.h>

#define NESTED_NS UINT64_C(50000000)

typedef enum asyncio_thread_begun { THREAD_STARTS, THREAD_HAS_BEGUN, THREAD_HAS_NO_MEMORY } asyncio_thread_begun;

typedef struct asyncio_thread {
    _Atomic int refs; /* the native thread, and the hub */
    caw_reactor *reactor;
    PyInterpreterState *interpreter;
    PyObject *list; /* the capsule with the list: a reference, which the thread drops at its end */
    caw__hub *hub;  /* borrowed; NULL once it is closed */
    struct asyncio_thread *next;
    unsigned generation; /* caw__fork_count() when made */
    caw__mutex lock;
    caw__condition changed;
    asyncio_thread_begun begun;
    bool draining; /* a drain has begun since the last call_soon_threadsafe */
    bool drained;  /* a drain has run since then */
    bool polling;  /* the thread watches the fd */
    bool stop;     /* the hub is closed */
    bool ended;    /* the thread will not touch Python again */
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
    thread->polling = thread->draining = thread->drained = false;
    caw__condition_broadcast(&thread->changed);
    caw__mutex_unlock(&thread->lock);
    return !stop;
}

/* Until a drain has run; or one has begun, and does not end. Without the GIL. */
static void
asyncio_thread_wait_drained(asyncio_thread *thread)
{
    caw__mutex_lock(&thread->lock);
    while (!thread->drained && !thread->draining && !thread->stop) {
        caw__condition_wait(&thread->changed, &thread->lock);
    }
    uint64_t late = caw__now_ns() + NESTED_NS;
    while (!thread->drained && !thread->stop && caw__condition_wait_until(&thread->changed, &thread->lock, late)) {
    }
    caw__mutex_unlock(&thread->lock);
}

/* Why the loop takes no more calls. A RuntimeError says that it is closed; while it comes to that there may be another
 * exception. */
static void
asyncio_thread_report(caw__hub *hub)
{
    PyObject *raised = caw__take_raised();
    PyObject *running = PyObject_CallMethod(hub->loop, "is_running", NULL);
    PyErr_Clear();
    bool ending = PyErr_GivenExceptionMatches(raised, PyExc_RuntimeError) || running == Py_False;
    Py_XDECREF(running);
    if (ending) {
        Py_DECREF(raised);
    }
    else {
        caw__raise(raised);
        PyErr_WriteUnraisable((PyObject *)hub);
    }
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
        asyncio_thread_report(hub);
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

/* With the GIL, which it gives back for good. */
static void
asyncio_thread_end(asyncio_thread *thread, PyThreadState *tstate)
{
    PyThreadState_Clear(tstate); /* nothing after this lets another thread have the GIL */
    PyObject *list = thread->list;
    asyncio_threads_remove(PyCapsule_GetPointer(list, NULL), thread);
    Py_DECREF(list);
    asyncio_thread_set(thread, &thread->ended); /* who waits for it has to get the GIL before it goes on */
    PyThreadState_DeleteCurrent();
}

static void
asyncio_thread_say_begun(asyncio_thread *thread, asyncio_thread_begun begun)
{
    caw__mutex_lock(&thread->lock);
    thread->begun = begun;
    caw__condition_broadcast(&thread->changed);
    caw__mutex_unlock(&thread->lock);
}

static void *
asyncio_thread_main(void *argument)
{
    asyncio_thread *thread = argument;
    PyThreadState *tstate = PyThreadState_New(thread->interpreter); /* here: it belongs to the thread that makes it */
    asyncio_thread_say_begun(thread, tstate ? THREAD_HAS_BEGUN : THREAD_HAS_NO_MEMORY);
    for (bool more = tstate != NULL; more;) {
        asyncio_thread_wait_drained(thread);
        bool readable = asyncio_thread_wait_readable(thread);
        PyEval_RestoreThread(tstate);
        more = readable && asyncio_thread_call_drain(thread);
        if (more) {
            (void)PyEval_SaveThread();
        }
        else {
            asyncio_thread_end(thread, tstate);
        }
    }
    asyncio_thread_release(thread);
    return NULL;
}

void
caw__asyncio_thread_draining(caw__hub *hub)
{
    asyncio_thread *thread = hub->attached;
    asyncio_thread_set(thread, &thread->draining);
}

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
    if (caw__at_python_exit(&asyncio_threads_end_def, capsule) < 0) {
        Py_DECREF(capsule);
        return NULL;
    }
    return state->asyncio_threads = capsule;
}

/* --- the start --- */

static asyncio_thread *
asyncio_thread_new(caw__hub *hub, PyObject *list)
{
    asyncio_thread *thread = calloc(1, sizeof *thread);
    if (!thread) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&thread->refs, 2);
    thread->reactor = caw_reactor_retain(hub->inbox->reactor);
    thread->interpreter = PyInterpreterState_Get();
    thread->list = Py_NewRef(list);
    thread->hub = hub;
    thread->drained = true; /* nothing to wait for yet */
    thread->generation = caw__fork_count();
    caw__mutex_init(&thread->lock);
    caw__condition_init(&thread->changed);
    return thread;
}

/* Start the native thread and wait until it has a thread state. -1 with an exception: then there is no thread. */
static int
asyncio_thread_run(asyncio_thread *thread)
{
    caw__thread native;
    int error = caw__thread_start(asyncio_thread_main, thread, &native);
    if (error < 0) {
        asyncio_thread_release(thread); /* for the thread */
        caw_py_set_error(error);
        return -1;
    }
    caw__thread_detach(native);
    asyncio_thread_begun begun;
    Py_BEGIN_ALLOW_THREADS; /* tracemalloc may need the GIL for the thread state */
    caw__mutex_lock(&thread->lock);
    while ((begun = thread->begun) == THREAD_STARTS) {
        caw__condition_wait(&thread->changed, &thread->lock);
    }
    caw__mutex_unlock(&thread->lock);
    Py_END_ALLOW_THREADS;
    if (begun == THREAD_HAS_NO_MEMORY) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* Without a native thread: what it would have done at its end, and what the hub has. */
static void
asyncio_thread_undo(caw__hub *hub, asyncio_thread *thread)
{
    PyObject *list = thread->list;
    asyncio_threads_remove(PyCapsule_GetPointer(list, NULL), thread);
    if (hub->attached) { /* else the end of the interpreter has stopped it meanwhile */
        hub->attached = NULL;
        asyncio_thread_release(thread);
    }
    Py_DECREF(list);
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
    asyncio_thread *thread = asyncio_thread_new(hub, list);
    if (!thread) {
        return -1;
    }
    /* All is in place first: the interpreter may come to its end while the thread starts. */
    thread->next = threads->first;
    threads->first = thread;
    hub->attached = thread;
    if (asyncio_thread_run(thread) < 0) {
        asyncio_thread_undo(hub, thread);
        return -1;
    }
    if (!hub->loop) {
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
        return -1;
    }
    return 0;
}
