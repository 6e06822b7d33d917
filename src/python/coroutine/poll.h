/* poll.h: a coroutine as the place where its future is polled: what the future's children get at through the context.
 *
 * A Python awaitable that ends with an exception ends its future with a status. The exception is noted with the
 * coroutine, and raised by it where its own future ends with that status in the end. So is one that comes as a detail
 * (core/base/detail.h), from elsewhere; and until the end of the poll what is noted goes as a detail to what the poll
 * completes.
 */
#ifndef CAWAIT_PYTHON_COROUTINE_POLL_H
#define CAWAIT_PYTHON_COROUTINE_POLL_H

#include "core/base/detail.h"
#include "python/coroutine/coroutine.h"

#include "core/run/block_on.h"

CAW__INTERNAL_BEGIN

typedef struct caw__poll_place {
    caw__state *state;
    const caw__coroutine *coroutine;
    PyThreadState *released; /* NULL while the GIL is held */
    PyObject *raised;        /* with has_after: why the reactor was not found, or NULL */
    bool has_after;          /* there is something to be done after the poll */
    bool is_entered;         /* with has_after: something was noted in this poll, and `notes` is to be left */
    caw__notes notes;        /* with is_entered */
} caw__poll_place;

/* The place of a call that blocks (block.h), and not on a loop. */
typedef struct caw__poll_blocking {
    caw__poll_place place;
    caw__sleeper *sleeper;
} caw__poll_blocking;

/* A poll that needs a loop has failed with the exception that is set: that is for after the poll. */
CAW__SLOW void caw__poll_failed(caw__poll_place *place);

/* The hosts of such contexts: their `place` is a caw__poll_place, in the second one that of a caw__poll_blocking. */
extern const caw__noting_host caw__noting_poll_host, caw__noting_blocking_host;
#define caw__poll_host          (caw__noting_poll_host.host)
#define caw__poll_blocking_host (caw__noting_blocking_host.host)

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

/* Whether the future of the coroutine, which has just said that it is pending, waits for nothing: neither for a Python
 * awaitable in place, nor for a wake that can still come. */
static inline bool
caw__poll_is_lost(const caw__coroutine *c)
{
    bool in_place = c->extras && c->extras->inner && c->extras->inner->waits;
    return !in_place && caw__wake_target_is_alone(c->waiter.target);
}

/* Note the exception, with the status that its future ends with. Borrowed. Clears what is set. */
void caw__poll_note(caw__coroutine *c, PyObject *exception, int status);

/* The same with the status that fits the exception, which is returned. */
CAW__APART int caw__poll_note_status(caw__coroutine *c, PyObject *exception);

/* From now on the core forgets by us what is raised where an operation is dropped. */
void caw__poll_watch_drops(void);

/* What the coroutine has noted belongs to what happens in the rest of this poll. With the GIL. */
CAW__APART void caw__poll_enter_notes(caw__poll_place *place);

/* The exception that is noted with this status: borrowed, or NULL. */
static inline PyObject *
caw__poll_noted(const caw__coroutine *c, int status)
{
    return c->extras && c->extras->noted_status == status ? c->extras->noted : NULL;
}

/* Nothing is noted any more: the exception, a new reference, or NULL. */
static inline PyObject *
caw__poll_take_noted(caw__coroutine *c)
{
    PyObject *noted = c->extras ? c->extras->noted : NULL;
    if (noted) {
        c->extras->noted = NULL;
    }
    return noted;
}

CAW__INTERNAL_END

#endif
