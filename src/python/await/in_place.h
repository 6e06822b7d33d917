/* in_place.h: a Python awaitable as a C future.
 *
 *     NEW ── first poll ──> IN_PLACE ── returns, raises ──> ENDED
 *      └──── first poll ──> POSTED
 *
 * IN_PLACE: it is driven in place, by the polls of one coroutine of ours, its `awaiter`. It is the `inner` of that
 * coroutine while it waits for it, and yields what it yields. A resume of the coroutine leaves here what was sent;
 * the poll that follows sends it on. What was thrown stays with the coroutine until the poll: if no poll
 * takes it, the coroutine raises it.
 *
 * POSTED: it is polled in another way, and runs as a task (await/posted.h), whose future this one polls.
 *
 * If the awaitable is a coroutine of ours too, the poll does not drive it, but says so (`waits`, and nothing
 * yielded), and coroutine/trampoline.c drives it when the poll is over: so a chain of any length needs no more C
 * stack than one.
 *
 * The awaiter may be closed, or the future given to another one to poll, while it is IN_PLACE: then it has no
 * awaiter, and ends with an error when it is polled.
 *
 * Everything here is protected by the GIL, but in POSTED, where nothing of it is Python's.
 */
#ifndef CAWAIT_PYTHON_AWAIT_IN_PLACE_H
#define CAWAIT_PYTHON_AWAIT_IN_PLACE_H

#include "python/await/posted.h"
#include "python/coroutine/coroutine.h"

CAW__INTERNAL_BEGIN

typedef enum caw__py_await_state { AWAIT_NEW = 0, AWAIT_IN_PLACE, AWAIT_POSTED, AWAIT_ENDED } caw__py_await_state;

typedef struct caw__py_await caw__py_await;
struct caw__py_await {
    caw__child child;
    caw__inner
        inner; /* its object: NEW: the awaitable. IN_PLACE: its iterator. ENDED: the value or the exception, or NULL */
    caw__posted *posted; /* POSTED: owned */
    caw__py_await *next; /* in the list of those that are given up later */
    unsigned char state; /* caw__py_await_state */
    bool raised;         /* ENDED: by an exception */
    bool cancelled;      /* NEW: it is not to begin */
    bool without_gil; /* it was polled in place by a coroutine that had released the GIL, and may be destroyed so too */
};

/* Of all but those that are POSTED. */
extern const caw_future_ops caw__py_await_ops;

/* A future of the awaitable, which is taken; NULL when out of memory: then it is not. */
caw_future *caw__py_await_new(PyObject *awaitable);

/* The awaited one that this future is, or NULL. */
const caw__py_await *caw__py_await_of(const caw_future *future);

/* Whether the poll is one of the coroutine itself, which waits for nothing else, and lets what it awaits be cancelled.
 */
bool caw__py_await_may_go_in_place(const caw__coroutine *c, const caw_context *cx);

/* A future whose iterator the coroutine that polls has begun, and that has yielded this. Takes both; NULL with an
 * exception. */
caw_future *caw__py_await_suspended(caw__coroutine *c, PyObject *iterator, PyObject *yielded);

CAW__INTERNAL_END

#endif
