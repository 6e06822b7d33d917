/* child.h: what a coroutine needs of its future beyond caw_future_ops, where the future is one of the bridge's own.
 * Two kinds:
 *
 *   awaited   a Python awaitable (await/in_place.h). While it is awaited in place it is the coroutine's `inner`
 *   step      a step of an async generator (generator/step.h)
 *
 * Both begin with a caw__child. The flag `steps` of the coroutine is set for a step; a Python awaitable is recognised
 * by its name (base/awaitable.h), since in_place.c stands above.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_CHILD_H
#define CAWAIT_PYTHON_COROUTINE_CHILD_H

#include "python/base/state.h"

CAW__INTERNAL_BEGIN

typedef struct caw__child_ops {
    /* The objects that the future holds, and nobody else shows to the collector. */
    int (*traverse)(const caw_future *future, visitproc visit, void *arg);

    /* The rest is for steps. */

    /* The first step of a coroutine, where there is nothing to wait for: the shortest way. PYGEN_NEXT, and nothing
     * was done: it is to be polled as any other. */
    PySendResult (*at_once)(caw__coroutine *c, PyObject **result);

    /* A value is sent before the first poll: it counts as if it had been given to asend(). False where that makes no
     * sense. */
    bool (*send)(caw_future *future, PyObject *value);

    /* An exception is thrown in, or (NULL) it is closed, before the first poll: as if that had come at the `yield`. 1:
     * the stream has taken the exception, and the step is to be polled. 0: that ends the generator. -1 with another
     * exception, which is to be raised: of the stream; or where another step has begun, and the generator goes on. */
    int (*throw_in)(caw_future *future, PyObject *exception);

    /* An exception is set, which leaves the coroutine: a StopAsyncIteration that is not the end becomes a RuntimeError.
     */
    void (*leaving)(const caw_future *future);

    /* The method that made the step, and the qualified name of its generator, borrowed: for a warning. */
    const char *(*method)(const caw_future *future, PyObject **qualname);
} caw__child_ops;

typedef struct caw__child {
    caw_future future;
    const caw__child_ops *ops;
} caw__child;

static inline const caw__child_ops *
caw__child_ops_of(const caw_future *future)
{
    return CAW_CONTAINER_OF(future, const caw__child, future)->ops;
}

/* A Python awaitable that is awaited in place: what `yield from` keeps. Part of its future; the coroutine
 * points to it while it waits for it. */
typedef struct caw__inner {
    PyObject *object;  /* the iterator: a reference */
    PyObject *sent;    /* for the next poll, or NULL for None */
    PyObject *yielded; /* while `waits`: for the coroutine to take; NULL when the iterator is a coroutine of ours */
    caw__coroutine *awaiter; /* borrowed */
    /* It has ended, with a value, or (NULL) with the exception that is set. Takes the value. */
    void (*end)(struct caw__inner *inner, PyObject *value);
    bool is_ours; /* the iterator is a coroutine of ours */
    bool waits;   /* it has yielded in this poll, or is to be driven by the trampoline */
    bool resumed; /* it may go on at the next poll */
} caw__inner;

CAW__INTERNAL_END

#endif
