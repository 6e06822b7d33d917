/* coroutine.h: the object that `await` drives, and that owns a C future.
 *
 * States, as in a coroutine of Python:
 *
 *     CREATED ── first send ──> (running) ── pending ──> SUSPENDED ── woken, send ──> (running) ── ...
 *        │                          └── ready ──> CLOSED <── ready, throw, close, collected ──┘
 *        └── close, throw, collected ──> CLOSED
 *
 * `running` is beside the state: it is true while the future's functions, or the result function, are being called;
 * they may run any Python code, which then finds the coroutine busy.
 *
 * A suspended coroutine waits for one of two things: the future's waker (through its target), or a cancel.
 *
 *   woken       the awaiter has been told to resume; a send is expected
 *   polled      the future has been polled: it is asked to stop before it is given up
 *   told        the future was asked to stop; never asked twice
 *   cancelling  a cancel came and the policy is to wait for the end of the operation
 *   delivered   the cancel is thrown in at once, although the awaiter waits on
 *   detached    a cancel came and the awaiter resumes without the operation's end
 *
 *   delegates   it waits for a Python awaitable, its `inner`: whatever is sent and thrown goes there (await/in_place.h)
 *
 * Everything here is protected by the GIL. Memory: 96 bytes and the collector's 16.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_COROUTINE_H
#define CAWAIT_PYTHON_COROUTINE_COROUTINE_H

#include "python/function/object.h"
#include "python/loop/wake_target.h"

CAW__INTERNAL_BEGIN

typedef enum caw__coroutine_state { CORO_CREATED = 0, CORO_SUSPENDED, CORO_CLOSED } caw__coroutine_state;

/* What few coroutines need; made when it is needed. */
typedef struct caw__coroutine_extras {
    PyObject *name;     /* set by the user */
    PyObject *qualname; /* set by the user */
    PyObject *origin;   /* where it was created, a tuple; only with origin tracking */
    PyObject *frame;    /* once somebody asked for it */
    PyObject *pending; /* what to raise, or to call so that it raises, when the operation has ended: while cancelling */
    PyObject *message; /* of the cancel: while detached */
    PyObject *before;  /* trio's checkpoint, which is awaited before the first poll */
    PyObject *awaiter; /* the task of trio that it is awaited in: with before */
    PyObject *scope;   /* anyio's, in which the rest of the wait happens: while cancelling */
    caw__py_await *inner; /* the Python awaitable that is awaited in place: borrowed from the future */
    caw__coroutine
        *outer; /* the coroutine of ours that awaits this one in place, and holds it: see coroutine/trampoline.c */
    PyObject *thrown;  /* for the inner, at the next poll */
    PyObject *raised;  /* what a Python awaitable ended with, for the case that the future ends so too */
    int raised_status; /* with raised: the status of that awaitable */
} caw__coroutine_extras;

struct caw__coroutine {
    PyObject_HEAD
    caw_future *future;       /* owned; NULL once it is finished or given up */
    caw__function *function;  /* what made it: spec and names; NULL only after tp_clear */
    PyObject *self;           /* what the method was called on, or NULL */
    caw__wake_target *target; /* a reference; NULL until needed; stays for the next use of this memory */
    caw__park *park;          /* what it yields; NULL before the first suspension */
    PyObject *callback;       /* the awaiter's wakeup: while SUSPENDED, before it is woken */
    PyObject *context;        /* the context to call it in: with callback */
    PyObject *weakrefs;
    caw__coroutine_extras *extras; /* NULL until needed */
    uint32_t held_at;              /* its place in the hub's list: true while it has a callback */
    char running;
    unsigned char state; /* caw__coroutine_state */
    bool polled : 1;
    bool blocking : 1; /* asyncio's: set when the park is yielded by `await`, cleared by the task that takes it */
    bool woken : 1;
    bool delegates : 1;
    bool told : 1;
    bool cancelling : 1;
    bool delivered : 1;
    bool detached : 1;
    bool aborted : 1;    /* trio has called the abort function, and forgotten it; the task waits on */
    bool checkpoint : 1; /* in the first step under trio: a future that is ready lets others run before it is taken */
    bool silent : 1;     /* nobody minds when it is never awaited */
    bool ended : 1;      /* the future is ready, and has not been taken yet */
    bool tracked : 1;    /* by the collector; see caw__coroutine_track */
    bool steps : 1;      /* its future is a step of an async generator */
    bool queued : 1;     /* a wake was in the queue already when the poll began: one that came late, or twice */
    bool finalized : 1;  /* the finalizer has run, which Python remembers of the memory: it is not used again */
};

extern PyType_Spec caw__coroutine_spec;

/* A coroutine that owns the future, which is destroyed if this fails. `self` is borrowed, may be NULL. */
PyObject *caw__coroutine_new(caw__function *function, caw_future *future, PyObject *self, PyThreadState *tstate);

/* One that makes a step of an async generator: the future is an advance (generator.h). As Python's, it has no origin. */
PyObject *caw__coroutine_new_step(caw__function *function, caw_future *future);

/* A coroutine of a spec, which is not NULL; the future is destroyed if this fails. */
PyObject *caw__coroutine_for(caw__state *state, PyObject *module, caw_future *future, const caw_py_spec *spec);

/* The exception that throw(type[, value[, traceback]]) means, as for a generator: a new reference. */
PyObject *caw__thrown_exception(PyObject *const *args, Py_ssize_t nargs);

/* Show it to the cycle collector. A new coroutine of a module's function refers to nothing but that function, and most
 * are finished before they refer to more; so this waits until it does. */
static inline void
caw__coroutine_track(caw__coroutine *c)
{
    if (!c->tracked) {
        c->tracked = true;
        PyObject_GC_Track(c);
    }
}

/* wrapper.c: put it into a coroutine of Python's own. Takes the coroutine, which may be NULL with an exception. */
PyObject *caw__coroutine_wrap(caw__function *function, PyObject *coroutine);

/* The state of a coroutine's module; NULL once the collector has cleared one of them. */
static inline caw__state *
caw__coroutine_state_of(const caw__coroutine *c)
{
    return c->function ? c->function->state : NULL;
}

/* The extras, made if they are not there; NULL with MemoryError. */
caw__coroutine_extras *caw__coroutine_extras_get(caw__coroutine *c);

/* Free what the free list holds. */
void caw__coroutine_free_list_clear(caw__state *state);

/* step.c: resuming, in all its ways */

/* Resume with a value: PYGEN_NEXT with what it yields, PYGEN_RETURN with its value, PYGEN_ERROR. The caller holds the
 * coroutine: a poll may drop all other references. */
PySendResult caw__coroutine_send(PyObject *self, PyObject *value, PyObject **result);

/* The same, and caw__coroutine_throw, for this coroutine alone: PYGEN_NEXT with NULL when it awaits one of ours, which is to
 * be resumed now. What does not know chains calls the other two. */
PySendResult caw__step_send(caw__coroutine *c, PyObject *value, PyObject **result);
PySendResult caw__step_throw(caw__coroutine *c, PyObject *exception, PyObject **result);

/* The inner of the coroutine has ended: go on. */
PySendResult caw__step_on(caw__coroutine *c, PyObject **result);

/* Set the error of a second awaiter: only the one that it waits with resumes a suspended coroutine. */
void caw__coroutine_refuse(const caw__coroutine *c);

/* coroutine/trampoline.c: coroutines of ours that await each other in place */

/* The coroutine awaits one of ours: go on there, and where that leads to. */
CAW__APART PySendResult caw__trampoline_descend(caw__coroutine *c, PyObject **result);

/* Resume what the coroutine waits for in the end: with a value, or with an exception, which is taken. */
CAW__APART PySendResult caw__trampoline_resume(caw__coroutine *c, PyObject *value, PyObject *exception,
                                               PyObject **result);

/* As close() of Python's coroutines: GeneratorExit goes to the innermost first. -1 with an exception. */
int caw__coroutine_close(caw__coroutine *c);

/* Throw an exception in; takes the exception. */
PySendResult caw__coroutine_throw(caw__coroutine *c, PyObject *exception, PyObject **result);

/* Give up with the exception that is set: PYGEN_ERROR, with the traceback of the operation's place. */
CAW__SLOW PySendResult caw__coroutine_fail(caw__coroutine *c, PyObject **result);

/* Give the future up, and be CLOSED: the way of close, of a throw, and of the collector. */
void caw__coroutine_abandon(caw__coroutine *c);

/* Somebody else than the awaiter ends the coroutine: have the awaiter resume too, to find it closed. */
void caw__coroutine_free_awaiter(caw__coroutine *c);

/* cancel.c: telling the operation to stop */

/* Ask the future to stop, unless that was done. */
void caw__coroutine_tell(caw__coroutine *c);

/* Tell the author's function of an exception that is thrown in. */
void caw__coroutine_tell_why(caw__coroutine *c, PyObject *exception);

/* The cancel policy that applies: never CAW_PY_CANCEL_DEFAULT. Not after CLOSED. */
caw_py_cancel caw__coroutine_policy(const caw__coroutine *c);

/* checkpoint.c: before the coroutine is ended by close() or throw(). If that is done by the task of trio that awaits the
 * checkpoint before the operation, end that first, in its order. Never raises. */
void caw__checkpoint_leave(caw__coroutine *c);

/* attributes.c: what can be seen of it */
extern PyGetSetDef caw__coroutine_getset[];
PyObject *caw__coroutine_repr(PyObject *self);
PyObject *caw__coroutine_awaits(const caw__coroutine *c);   /* as cr_await: a new reference */
PyObject *caw__coroutine_qualname(const caw__coroutine *c); /* borrowed; NULL after tp_clear */
CAW__SLOW void caw__coroutine_remember_origin(caw__coroutine *c, int depth);

/* coroutine/traceback.c: its frame, for tracebacks and debuggers: a new reference */
PyObject *caw__coroutine_frame(caw__coroutine *c);
void caw__coroutine_add_traceback(caw__coroutine *c);

CAW__INTERNAL_END

#endif
