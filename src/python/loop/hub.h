/* hub.h: the bridge's end of one Python loop: a reactor, and the coroutines that are suspended on that loop.
 *
 * Born at the first suspension on a loop. Found again from the loop, not from the thread: a loop may move. Its owner is
 * the loop itself, by the reader callback: when the loop is closed it drops its readers, and with them the hub, at
 * once. (Without add_reader it is a timer, see asyncio.c.) The native half, the inbox, stays as long as targets know it, so a
 * late wake finds a closed reactor and nothing else.
 *
 * The hub holds a reference to every coroutine that a task waits for here. Without it a task that nobody else
 * holds would be garbage while its operation is in flight: asyncio itself keeps only weak references to tasks, and
 * the native side must not keep Python objects.
 *
 * Everything is protected by the GIL; only the inbox's reactor is shared with native threads.
 */
#ifndef CAWAIT_PYTHON_LOOP_HUB_H
#define CAWAIT_PYTHON_LOOP_HUB_H

#include "python/coroutine/coroutine.h"

#include "core/os/compiler.h"

CAW__INTERNAL_BEGIN

typedef struct caw__helper caw__helper;

struct caw__hub {
    PyObject_HEAD
    caw__state *state; /* NULL once the module is gone */
    const caw__framework *framework;
    PyObject *loop;        /* the loop, or the token of a trio run; NULL once the hub is closed */
    caw__inbox *inbox;     /* a reference; inbox->hub is this hub until it is closed */
    caw__wake_node *batch; /* woken targets that the drain has not come to */
    caw__coroutine **held; /* suspended coroutines with a callback: references where the framework holds */
    uint32_t n_held, n_room;
    caw_item *free_items; /* memory for Python's values as items: see loop/value.c */
    uint32_t n_free_items;
    caw__posted *posted;    /* awaitables that run here for somebody else, linked by remote->next */
    unsigned long thread;   /* the loop's: where it was attached, or drained last */
    PyThreadState *drainer; /* true while a drain runs: whose */
    PyObject *mark;         /* with drainer: caw__asyncio_running_mark() when it began */
    caw__helper *helper;    /* the thread that stands in for add_reader, or NULL */
    PyObject *reschedule;   /* trio's way to resume a task */
    bool ending;            /* trio's run is over when nobody waits here any more */
    caw__hub *next;         /* in state->hubs */
};

extern PyType_Spec caw__hub_spec;

/* The hub of the loop that runs in this thread and awaits the coroutine, made if it is not there: borrowed. NULL with an
 * exception, and with a status that says the same to a future. */
caw__hub *caw__hub_current(caw__state *state, const caw__coroutine *c, int *status);

/* The hub that the coroutine is suspended on: borrowed. NULL when that is closed, or the coroutine waits for no wake. */
static inline caw__hub *
caw__hub_of(const caw__coroutine *c)
{
    return c->target && c->target->inbox ? c->target->inbox->hub : NULL;
}

/* The same; NULL with a RuntimeError. */
caw__hub *caw__hub_open(const caw__coroutine *c);

/* A coroutine of the library's own, to run there: a new reference, or NULL with an exception. Takes the future. */
PyObject *caw__hub_coroutine(caw__hub *hub, caw_future *future, const caw_py_spec *spec);

/* Close it: no wake arrives any more, what waits on its reactor ends. Twice is once. */
void caw__hub_close(caw__hub *hub);

/* Keep a coroutine that has a callback, and let go of it (and of its callback) again. */
int caw__hub_hold(caw__coroutine *c);
void caw__hub_drop_callback(caw__coroutine *c);

/* Take the coroutine out of the hub's list: the caller has the reference now, if there was one. */
caw__coroutine *caw__hub_let_go(caw__coroutine *c);

/* drain.c: resume the awaiter of a suspended coroutine by the loop, later. On failure the callback stays. */
int caw__hub_resume_soon(caw__coroutine *c);

/* The method `drain`: resume what was woken. Called by the loop, in its thread. */
PyObject *caw__hub_drain(PyObject *hub, PyObject *ignored);

/* The place where coroutines poll: how a poll gets at the hub's reactor. */
typedef struct caw__poll_place {
    caw__state *state;
    const caw__coroutine *coroutine;
    PyThreadState *released; /* NULL while the GIL is held */
    PyObject *raised;        /* why the reactor was not found, or NULL: for after the poll */
} caw__poll_place;

extern const caw_host caw__poll_host;

/* While a coroutine of ours polls without the GIL in this thread, and does not have it: what it has released. */
extern CAW__THREAD_LOCAL PyThreadState *caw__gil_released;

/* In such a poll: have the GIL for a while, and go on without it. `released` may be NULL, when nothing was. */
static inline void
caw__gil_take(PyThreadState *released)
{
    if (released) {
        PyEval_RestoreThread(released);
        caw__gil_released = NULL;
    }
}

static inline void
caw__gil_give(PyThreadState *released)
{
    if (released) {
        caw__gil_released = PyEval_SaveThread();
    }
}

CAW__INTERNAL_END

#endif
