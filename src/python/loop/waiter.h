/* waiter.h: the head of a coroutine, which is all that a loop and a framework see of it, as libuv's loop sees a
 * uv_handle_t.
 *
 * States, as in a coroutine of Python:
 *
 *     CREATED ── first send ──> (running) ── pending ──> SUSPENDED ── woken, send ──> (running) ── ...
 *        │                          └── ready ──> CLOSED <── ready, throw, close, collected ──┘
 *        └── close, throw, collected ──> CLOSED
 *
 * What is SUSPENDED has yielded its park, and is in the hub's list while it has a callback. It resumes once: by a
 * wake of its target, or by a cancel. `woken` is set then, and the next step clears it.
 *
 * The flags of the coroutine's own stand here because a struct of their own would cost 8 bytes more; coroutine.h
 * explains them.
 */
#ifndef CAWAIT_PYTHON_LOOP_WAITER_H
#define CAWAIT_PYTHON_LOOP_WAITER_H

#include "python/loop/wake_target.h"

CAW__INTERNAL_BEGIN

typedef enum caw__waiter_state { CORO_CREATED = 0, CORO_SUSPENDED, CORO_CLOSED } caw__waiter_state;

/* What a suspended waiter yields: park.h. */
struct caw__park {
    PyObject_HEAD
    caw__waiter *waiter; /* borrowed; NULL when the waiter has ended its wait */
    PyObject *wait;      /* trio's message, in a reference cycle with this park; see caw__park_orphan */
};

struct caw__waiter {
    PyObject_HEAD
    caw__wake_target *target; /* a reference; NULL until needed; stays for the next use of this memory */
    caw__park *park;          /* what it yields; NULL before the first suspension */
    PyObject *callback;       /* the awaiter's wakeup, or its task of trio: while SUSPENDED, before it is resumed */
    PyObject *context;        /* the context to call it in: with callback */
    PyObject *weakrefs;       /* the coroutine's own, like the next: here because of the place of frame_state */
    PyObject *self;           /* what the method was called on, or NULL */

    bool woken : 1;    /* the awaiter is about to resume; a send is expected */
    bool blocking : 1; /* asyncio's: set when the park is yielded by `await`, cleared by the task that takes it */
    bool aborted : 1;  /* trio has called the abort function, and forgotten it; the task waits on */

    /* The coroutine's own. Those that each step writes stand in one byte with `woken`. */
    bool detached : 1, thrown_early : 1, polled : 1, queued : 1, cancelling : 1;
    bool delegates : 1, cancel_sent : 1, checkpoint : 1, silent : 1, ended : 1, tracked : 1, steps : 1, finalized : 1;

    unsigned char state : 2;   /* caw__waiter_state */
    unsigned char running : 1; /* its future's functions, or the result function, are being called */
    unsigned char awaited : 1, stops : 1;

    unsigned char frame_state; /* CAW__FRAME_CLEARED: a reader of Python's coroutines finds no frame here */
    uint32_t held_at;          /* its place in the hub's list: true while it has a callback */
};

static_assert(sizeof(void *) != 8 || offsetof(caw__waiter, frame_state) == CAW__FRAME_STATE_PLACE,
              "frame_state is not where a reader looks for it");

CAW__INTERNAL_END

#endif
