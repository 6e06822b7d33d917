/* generator.h: the async generator over a C stream.
 *
 * States, as in an async generator of Python:
 *
 *     NEW ── first item asked for ──> (running) ── item ──> SUSPENDED ── asked ──> (running) ── ...
 *      │                                  └── end, error ──> CLOSED <── athrow, aclose, collected ──┘
 *      └── athrow, aclose, collected ──> CLOSED
 *
 * What __anext__, asend, athrow and aclose return is a coroutine of ours (coroutine.h), whose future is one step of the
 * generator. So suspending, cancelling and all frameworks are the coroutine's business. A step begins with its first
 * poll; from then until it is destroyed the generator is `running`, and no other one may begin.
 *
 *   ready     the step is over: its items, if it has any, are for the result
 *   ended     with it the generator is CLOSED: the stream has ended, or failed, or is to be given up
 *
 * A step that is destroyed before it is ready was closed, or thrown into, or the wait for it was given up: as an
 * exception at the `yield` ends Python's own generators, it ends this one. One that is ready and still has its items
 * was shielded while its awaiter was cancelled: they are kept for the next one.
 *
 * The generator is given up by whoever is last, without a task: the stream is asked to stop, and destroyed. So of the
 * hooks of sys.set_asyncgen_hooks it calls `firstiter`, by which a loop knows what to close before it ends, and needs
 * no `finalizer`.
 *
 * Everything here is protected by the GIL, but the stream while it is polled without.
 */
#ifndef CAWAIT_PYTHON_GENERATOR_GENERATOR_H
#define CAWAIT_PYTHON_GENERATOR_GENERATOR_H

#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

typedef enum caw__generator_step_kind {
    GENERATOR_STEP_NEXT = 0,
    GENERATOR_STEP_THROW,
    GENERATOR_STEP_CLOSE
} caw__generator_step_kind;

typedef struct caw__generator_step {
    caw__child child;
    caw__generator *generator; /* a reference */
    PyObject *arg;             /* what was sent, or is to be thrown: a reference, or NULL */
    caw_item *items;           /* while ready: owned; a list */
    uint32_t length;           /* of them, at first */
    unsigned char kind;        /* caw__generator_step_kind */
    bool begun, ready, ended;
    bool stops;     /* it has raised the StopAsyncIteration that is the generator's end */
    bool cancelled; /* the stream is asked to stop: what still comes is destroyed */
} caw__generator_step;

struct caw__generator {
    PyObject_HEAD
    caw_stream *stream;        /* owned; NULL once CLOSED */
    caw__function *function;   /* what made it; NULL only after tp_clear */
    PyObject *self;            /* what the method was called on, or NULL */
    PyObject *raised;          /* for the next step to raise: the end came after the first items of a list */
    caw_item *kept;            /* for the next step */
    PyObject *name, *qualname; /* set by the user, or NULL */
    PyObject *weakrefs;
    const caw__coroutine *waiter; /* the coroutine of the step that is pending: borrowed */
    caw__generator_step own;      /* for the step at hand: most need no other */
    uint64_t run_began;           /* ns: when items began to come without suspending; 0: since then none came */
    uint32_t run_length;          /* items since the clock was read */
    char running;
    bool own_used;
    bool hooked;      /* the hook was called */
    bool started;     /* the stream was polled */
    bool over;        /* the stream has said its end */
    bool cancel_sent; /* the stream was asked to stop */
};

/* A generator that owns the stream, which is destroyed if this fails. `self` is borrowed, may be NULL. */
PyObject *caw__generator_new(caw__function *function, caw_stream *stream, PyObject *self);

/* Give the stream up, and be CLOSED. Twice is once. */
void caw__generator_end(caw__generator *g);

CAW__INTERNAL_END

#endif
