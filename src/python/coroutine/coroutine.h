/* coroutine.h: the object that `await` drives, and that owns a C future.
 *
 * waiter.h has its states and what the loop needs of it. A suspended coroutine waits for one of two things: the
 * future's waker (through its wake target), or a cancel. Or it `delegates`: it waits for a Python awaitable, its
 * `inner`, and whatever is sent and thrown goes there.
 *
 * A cancel, and the flags that say how far it has come:
 *
 *     (none) ── policy wait, shield ──> cancelling ──────── operation ends ──> resumed, raises
 *        │                                 │  └── awaiter is to see it at once ──> thrown_early, resumed, waits on
 *        │                                 └── a second one, policy wait ──┐
 *        └── policy detach ────────────────────────────────────────────────┴──> detached, resumed, raises
 *
 *   polled       the future has been polled: its cancel is called before it is given up
 *   cancel_sent  the future's cancel was called; never twice
 *   cancelling   a cancel has come
 *   thrown_early the cancellation is thrown in at once, although the awaiter waits on
 *   detached     the awaiter resumes without the operation's end
 *
 *   checkpoint   in the first step under trio: a future that is ready lets others run before it is taken
 *   silent       no warning when it is never awaited
 *   ended        the future is ready, and has not been taken yet
 *   tracked      by the collector; see caw__coroutine_track
 *   steps        its future is a step of an async generator
 *   stops        with steps: one that athrow() or aclose() made
 *   awaited      it was asked for an iterator, by `await` or something like it
 *   queued       a wake was in the queue already when the poll began: one that came late, or twice
 *   finalized    the finalizer has run, which Python remembers of the memory: it is not used again
 *
 * Everything here is protected by the GIL. Memory: 96 bytes and the collector's 16.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_COROUTINE_H
#define CAWAIT_PYTHON_COROUTINE_COROUTINE_H

#include "python/base/awaitable.h"
#include "python/coroutine/child.h"
#include "python/function/object.h"
#include "python/loop/waiter.h"

CAW__INTERNAL_BEGIN

/* What few coroutines need; made when it is needed. */
typedef struct caw__coroutine_extras {
    PyObject *name;     /* set by the user */
    PyObject *qualname; /* set by the user */
    PyObject *origin;   /* where it was created, a tuple; only with origin tracking */
    PyObject *frame;    /* made at the first look */
    int frame_line;     /* with frame: the line of an async function that it shows, or 0 */
    PyObject *pending; /* what to raise, or to call so that it raises, when the operation has ended: while cancelling */
    PyObject *message; /* of the cancel: while detached */
    PyObject *before;  /* trio's checkpoint, which is awaited before the first poll */
    PyObject *awaiter; /* the task of trio that it is awaited in: with before */
    PyObject *scope;   /* anyio's, in which the rest of the wait happens: while cancelling */
    caw__inner *inner; /* the Python awaitable that is awaited in place: borrowed from the future */
    caw__coroutine
        *outer; /* the coroutine of ours that awaits this one in place, and holds it: see coroutine/trampoline.c */
    PyObject *thrown;  /* for the inner, at the next poll */
    PyObject *noted;   /* what a Python awaitable ended with, for the case that the future ends so too: see poll.h */
    int noted_status;  /* with noted: the status of that awaitable */
    caw_future *grace; /* the clock of a cancelled operation: grace.h */
    bool awaits;       /* trio: a Python awaitable was made for its future */
} caw__coroutine_extras;

struct caw__coroutine {
    caw__waiter waiter;
    caw__coroutine_extras *extras; /* NULL until needed */
    caw_future *future;            /* owned; NULL once it is finished or given up */
    caw__function *function;       /* what made it: spec and names; NULL only after tp_clear */
};

/* A coroutine that owns the future, which is destroyed if this fails. `self` is borrowed, may be NULL. */
PyObject *caw__coroutine_new(caw__function *function, caw_future *future, PyObject *self, PyThreadState *tstate);

/* The same, inside a coroutine of Python's own. */
PyObject *caw__coroutine_new_wrapped(caw__function *function, caw_future *future, PyObject *self,
                                     PyThreadState *tstate);

/* One that makes a step of an async generator; `stops`: one of athrow() or aclose(). As Python's, it has no origin. */
PyObject *caw__coroutine_new_step(caw__function *function, caw_future *future, bool stops);

/* A coroutine of a spec, which is not NULL; the future is destroyed if this fails. */
PyObject *caw__coroutine_for(caw__state *state, PyObject *module, caw_future *future, const caw_py_spec *spec);

/* A coroutine of the library's own, to run on a hub's loop: a new reference, or NULL with an exception. Takes the
 * future. */
PyObject *caw__coroutine_on(caw__hub *hub, caw_future *future, const caw_py_spec *spec);

/* Show it to the cycle collector. A new coroutine of a module's function refers to nothing but that function, and most
 * are finished before they refer to more; so this waits until it does. */
static inline void
caw__coroutine_track(caw__coroutine *c)
{
    if (!c->waiter.tracked) {
        c->waiter.tracked = true;
        PyObject_GC_Track(c);
    }
}

/* The state of a coroutine's module; NULL once the collector has cleared one of them. */
static inline caw__state *
caw__coroutine_state_of(const caw__coroutine *c)
{
    return c->function ? c->function->state : NULL;
}

/* Whether it is a coroutine of the module, or one that makes a step. */
static inline bool
caw__is_coroutine(const caw__state *state, PyObject *object)
{
    return Py_IS_TYPE(object, state->coroutine_type) || Py_IS_TYPE(object, state->step_type);
}

/* Whether its future is a Python awaitable: as with Python's `await`, that one sees to checkpoints. */
static inline bool
caw__coroutine_awaits_python(const caw__coroutine *c)
{
    return c->future->ops->name == caw__await_name;
}

/* The extras, made if they are not there; NULL with MemoryError. */
caw__coroutine_extras *caw__coroutine_extras_get(caw__coroutine *c);
void caw__coroutine_extras_free(caw__coroutine *c);

/* Free its memory, of which nothing is needed any more; and what the free lists hold. */
CAW__APART void caw__coroutine_free(caw__coroutine *c);
void caw__coroutine_free_list_clear(caw__state *state);

/* What it waits for, as cr_await, which is None while it runs: a new reference. */
PyObject *caw__coroutine_awaits(const caw__coroutine *c);

/* Borrowed; NULL after tp_clear. */
PyObject *caw__coroutine_qualname(const caw__coroutine *c);

CAW__INTERNAL_END

#endif
