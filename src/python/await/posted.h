/* posted.h: Python that runs on a loop for a consumer that is elsewhere: an awaitable as a task, or a call.
 *
 * The consumer has the promise, and may be on any thread without the GIL. The producer is the loop: it begins
 * and cancels by a job, and resolves the promise, all in its own thread. Its side is held by the hub's list, from the
 * beginning to the end; a hub that is closed ends what is in it. What Python calls when the task has ended has
 * a capsule (framework/task.h).
 *
 * Words and who may touch them:
 *
 *   promise        see promise.c
 *   begin, drop    jobs, see job.h. `begin` is pushed to begin, and again to cancel; `requests` says which
 *   refs           any thread, atomic
 *   requests       any thread, atomic: set before a push, taken by the loop
 *   object         the consumer's until `begin` is pushed, then the loop's; NULL once the task has it
 *   outcome        written by the loop before it resolves, read by the consumer afterwards
 *   the others     the loop's, with the GIL
 *
 * The race that looks bad: the loop ends it, the consumer drops it, and a cancel is still queued. The promise is over
 * with the later of the two sides, as any is; but `begin` may be in the queue, or be running. So each has a
 * reference, the promise and what is queued, and the last one frees. Where there is an awaitable to drop, that is a
 * job of its own, `drop`.
 */
#ifndef CAWAIT_PYTHON_AWAIT_POSTED_H
#define CAWAIT_PYTHON_AWAIT_POSTED_H

#include "python/framework/task.h"
#include "python/loop/hub.h"
#include "python/loop/job.h"
#include "python/loop/locals.h"
#include "python/loop/ref.h"

CAW__INTERNAL_BEGIN

typedef struct caw__posted {
    caw_promise promise;
    caw__job begin, drop;
    caw__tenant tenant;    /* in the hub's list while it runs */
    caw__py_task task;     /* while it runs */
    caw_py_locals *locals; /* a reference */
    _Atomic uint32_t refs, requests;
    bool raised;           /* with outcome: it is an exception */
    bool begun;            /* it was polled: the consumer's */
    bool seen;             /* a poll has said that it is ready: the consumer's */
    PyObject *object;      /* the awaitable: a reference, or NULL */
    caw_py_ref *outcome;   /* the value or the exception: a reference; NULL for None */
    caw_py_call_spec spec; /* of a call; all NULL of an awaitable */
    void *arg;
    bool (*shields)(const void *arg); /* whether a cancel is not for the task now; NULL: it always is */
} caw__posted;

/* A posted one with this awaitable, or for this call. NULL when out of memory: then it has taken nothing.
 *   any-thread · no-gil · borrows(locals), which are retained; takes(object) · returns-new · quiet */
caw__posted *caw__posted_new(caw_py_locals *locals, PyObject *object, const caw_py_call_spec *spec, void *arg);

/* The posted one that this future is, or NULL. */
caw__posted *caw__posted_of(const caw_future *f);

/* Whether the consumer has seen it end with what Python gave: a value or an exception. */
bool caw__posted_has_ended(const caw__posted *r);

CAW__INTERNAL_END

#endif
