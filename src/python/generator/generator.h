/* generator.h: the async generator over a C stream.
 *
 * States, as in an async generator of Python:
 *
 *     NEW ── first __anext__() ─────> (running) ── item ──> SUSPENDED ── __anext__() ──> (running) ── ...
 *      │                                  └── end, error ──> CLOSED <── athrow, aclose, collected ──┘
 *      └── athrow, aclose, collected ──> CLOSED
 *
 * __anext__, asend, athrow and aclose return a coroutine of ours (coroutine.h), whose future is one step of the
 * generator. So suspending, cancelling and the frameworks are handled by the coroutine. A step begins with its first
 * poll. From then until it is destroyed the generator is `running`, and no other step may begin.
 *
 *   ready     the step is over; its items, if any, become the result
 *   ended     the generator is CLOSED with it: the stream has ended, has failed, or is to be dropped
 *
 * A step that is destroyed before it is ready was closed or thrown into, or its awaiter stopped waiting. That ends the
 * generator, as an exception at the `yield` ends a generator of Python; but not under the policy keep, where the next
 * step polls the stream on. A step that is ready and still has its items was shielded while its awaiter was cancelled:
 * the items are kept for the next step.
 *
 * The last reference ends the generator, without a task: the stream is cancelled and destroyed. So of the hooks of
 * sys.set_asyncgen_hooks it calls only `firstiter`, by which a loop learns what to close before it ends; it needs no
 * `finalizer`.
 *
 * Everything here is protected by the GIL, except the stream while it is polled without the GIL.
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
    PyObject *arg;             /* the value that was sent, or the exception to throw: a reference, or NULL */
    caw_item *items;           /* a list, owned, while ready */
    uint32_t length;           /* how many they were at first */
    unsigned char kind;        /* caw__generator_step_kind */
    bool begun, ready, ended;
    bool stops;     /* it has raised the StopAsyncIteration that is the generator's end */
    bool cancelled; /* the stream was cancelled: items that still come are destroyed */
} caw__generator_step;

struct caw__generator {
    PyObject_HEAD
    caw_stream *stream;        /* owned; NULL once CLOSED */
    caw__function *function;   /* the function that made it; NULL only after tp_clear */
    PyObject *self;            /* the object that the method was called on, or NULL */
    PyObject *raised;          /* raised by the next step, when the end came after the first items of a list; or NULL */
    caw_item *kept;            /* the items for the next step, or NULL */
    PyObject *name, *qualname; /* set by the user, or NULL */
    PyObject *weakrefs;
    const caw__coroutine *waiter; /* the coroutine of the step that is pending: borrowed */
    caw__generator_step own;      /* used for one step at a time: most need no other */
    uint64_t run_began;           /* ns: since when items have come without suspending; 0: the last step suspended */
    uint32_t run_length;          /* items since the clock was read */
    char running;
    bool own_used;
    bool hooked;      /* the hook was called */
    bool started;     /* the stream was polled */
    bool over;        /* the stream has ended */
    bool cancel_sent; /* the stream was cancelled */
};

/* A generator that owns the stream, which is destroyed if this fails. `self` is borrowed, may be NULL. */
PyObject *caw__generator_new(caw__function *function, caw_stream *stream, PyObject *self);

/* Cancel and destroy the stream; then the generator is CLOSED. No effect the second time. */
void caw__generator_end(caw__generator *g);

CAW__INTERNAL_END

#endif
