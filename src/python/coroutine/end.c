/* end.c: how a coroutine ends. Law: take it out of the struct before you call anybody. */
#include "python/coroutine/end.h"

#include "python/base/errors.h"
#include "python/coroutine/cancel.h"
#include "python/coroutine/grace.h"
#include "python/coroutine/park.h"
#include "python/coroutine/poll.h"
#include "python/coroutine/result.h"
#include "python/coroutine/traceback.h"
#include "python/loop/hub.h"

void
caw__coroutine_leave_inner(caw__coroutine *c)
{
    caw__inner *inner = c->extras ? c->extras->inner : NULL;
    if (inner) {
        c->extras->inner = NULL;
        c->waiter.delegates = false;
        inner->awaiter = NULL;
        caw__coroutine_extras *below = inner->is_ours ? ((caw__coroutine *)inner->object)->extras : NULL;
        if (below && below->outer == c) { /* not where this one was refused, because another one awaits it */
            below->outer = NULL;
        }
    }
}

CAW__APART static void
end_drop_park(caw__coroutine *c)
{
    caw__park *park = c->waiter.park;
    park->waiter = NULL; /* first: from here on nobody can register a callback */
    c->waiter.park = NULL;
    if (c->waiter.callback) {
        caw__hub_drop_callback(&c->waiter);
    }
    caw__park_orphan(park);
}

/* What the extras have of the wait. Not `before`: its own task finishes that, see checkpoint.h. */
CAW__APART static void
end_close_extras(caw__coroutine *c)
{
    caw__coroutine_unshield(c);
    caw__coroutine_leave_inner(c);
    Py_XDECREF(caw__poll_take_noted(c)); /* may run any Python code */
}

/* It is CLOSED, and found so by whatever runs from here on. What is let go of may be the awaiter, which is finalized
 * then, and closes what it awaits. */
static inline void
end_close_state(caw__coroutine *c)
{
    c->waiter.state = CORO_CLOSED;
    c->waiter.delegates = false;
    c->waiter.running = false;
}

/* Nothing is waited for any more. The future is the caller's business. */
static inline void
end_let_go(caw__coroutine *c)
{
    if (c->extras) {
        caw__grace_end(c); /* before its waker is looked at */
    }
    if (c->waiter.park) { /* without one there was no suspension, so nobody has a callback here */
        end_drop_park(c);
    }
    if (c->waiter.target && !caw__wake_target_reset(c->waiter.target)) {
        c->waiter.target = NULL;
    }
    if (c->extras) {
        end_close_extras(c);
    }
}

/* Take the future out; whether its end is to be asked for. */
static bool
end_take_future(caw__coroutine *c, caw_future **future)
{
    bool asks = c->waiter.polled && !c->waiter.ended && !c->waiter.cancel_sent && c->future && caw__coroutine_tells(c);
    *future = c->future;
    c->future = NULL;
    c->waiter.cancel_sent |= asks;
    return asks;
}

void
caw__coroutine_abandon(caw__coroutine *c)
{
    if (c->waiter.state == CORO_CLOSED) {
        return;
    }
    caw_future *future;
    bool asks = end_take_future(c, &future);
    end_close_state(c);
    if (c->waiter.park) {
        c->waiter.park->waiter = NULL; /* what the cancel runs finds no wait */
    }
    caw__coroutine_leave_inner(c);
    if (asks) {
        caw_future_cancel(future);
    }
    caw_future_destroy(future); /* first: an awaiter that is let go of may look at what it was a step of */
    caw__forget_raised();       /* by a final part, whose awaits have nobody to raise it to */
    end_let_go(c);
}

void
caw__coroutine_free_awaiter(caw__coroutine *c)
{
    if (c->waiter.callback && !c->waiter.woken) {
        c->waiter.woken = true; /* first: call_soon may run a signal handler that cancels */
        if (caw__hub_resume_soon(&c->waiter) < 0) {
            if (!PyErr_ExceptionMatches(
                    PyExc_RuntimeError)) { /* else the loop is closed: nobody resumes there any more */
                PyErr_WriteUnraisable((PyObject *)c);
            }
            PyErr_Clear();
        }
    }
}

/* An exception is set, and leaves: of a step it may mean something else than it says. */
static void
end_leaving(const caw__coroutine *c, const caw_future *future)
{
    if (c->waiter.steps && future) {
        caw__child_ops_of(future)->leaving(future);
    }
}

PySendResult
caw__coroutine_fail(caw__coroutine *c, PyObject **result)
{
    end_leaving(c, c->future);
    caw__places failed;
    caw__future_places(c->future, &failed);
    PyObject *raised = caw__take_raised();
    caw__coroutine_free_awaiter(c);
    caw__coroutine_abandon(c);
    caw__raise(raised);
    caw__guard_stop_iteration();
    caw__coroutine_add_traceback(c, &failed);
    *result = NULL;
    return PYGEN_ERROR;
}

/* Finish with the exception that is set. */
CAW__APART static PySendResult
end_finish_raised(caw__coroutine *c, caw_future *future)
{
    end_leaving(c, future);
    caw__places failed;
    caw__future_places(future, &failed);
    PyObject *raised = caw__take_raised();
    end_close_state(c);
    end_let_go(c);
    caw_future_destroy(future);
    caw__raise(raised);
    caw__guard_stop_iteration();
    caw__coroutine_add_traceback(c, &failed);
    return PYGEN_ERROR;
}

PySendResult
caw__coroutine_finish(caw__coroutine *c, PyObject **result)
{
    if (c->waiter.callback) {
        caw__coroutine_free_awaiter(c); /* thrown into by somebody else */
    }
    caw_future *future = c->future;
    c->future = NULL;
    *result = c->extras && c->extras->pending ? caw__result_of_cancelled(c, future) : caw__result(c, future);
    if (!*result) {
        return end_finish_raised(c, future);
    }
    end_close_state(c);
    end_let_go(c);
    caw_future_destroy(future);
    return PYGEN_RETURN;
}
