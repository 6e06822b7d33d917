/* step.c: one way through a coroutine, whoever resumes it: poll; then finish, or suspend.
 *
 * It answers as `Objects/genobject.c: gen_send_ex2` does (CPython 3.13). A call into the user's functions may run any
 * Python code; `running` keeps that code out of this coroutine.
 */
#include "python/coroutine/step.h"

#include "python/coroutine/cancel.h"
#include "python/coroutine/checkpoint.h"
#include "python/coroutine/end.h"
#include "python/coroutine/park.h"
#include "python/coroutine/poll.h"
#include "python/coroutine/result.h"
#include "python/framework/asyncio.h"
#include "python/framework/detect.h"
#include "python/framework/trio_api.h"
#include "python/loop/hub.h"

#include <limits.h>

CAW__APART static int
step_poll_without_gil(caw__coroutine *c, caw_context *cx, caw__poll_place *place)
{
    place->released = caw__gil_released = PyEval_SaveThread();
    int poll = caw_future_poll(c->future, cx);
    caw__gil_take(place->released);
    return poll;
}

/* What step_poll returns, with an exception, where the future could not be polled. */
#define STEP_NOT_POLLED INT_MIN

/* What caw_future_poll does with a poll that is none. The shortest way, on which the poll is CAW_READY, has no test for
 * it. */
static int
step_checked(caw__coroutine *c, int poll)
{
    if (poll == CAW_PENDING || poll == CAW_READY || (poll == STEP_NOT_POLLED && PyErr_Occurred())) {
        return poll;
    }
    return (int)caw_future_finish(c->future, caw_error_from_return(c->future->ops->name, "poll", poll));
}

/* A poll wanted the reactor, and there is none. A KeyboardInterrupt that came meanwhile is raised in any case. An
 * Exception says more than the status that it became, where that is what the future ended with; the author's error
 * function goes first, and a future that ended in another way, or goes on, has found one. Takes the exception. */
CAW__SLOW static int
step_poll_without_reactor(caw__coroutine *c, int poll, PyObject *raised)
{
    poll = step_checked(c, poll);
    int status = poll == CAW_READY ? c->future->status : 0;
    bool said = status == CAW_ENOREACTOR || status == CAW_EFORKED || status == CAW_ENOMEM;
    if (PyErr_GivenExceptionMatches(raised, PyExc_Exception) && (!said || c->function->spec->error)) {
        Py_DECREF(raised);
        return poll;
    }
    c->waiter.ended = poll == CAW_READY;
    caw__raise(raised);
    return STEP_NOT_POLLED;
}

CAW__SLOW static int
step_after_poll(caw__coroutine *c, int poll, const caw__poll_place *place)
{
    if (place->is_entered) {
        caw__notes_leave(&place->notes);
    }
    return place->raised ? step_poll_without_reactor(c, poll, place->raised) : poll;
}

/* Poll the future once: what the poll function returned, for step_checked; or STEP_NOT_POLLED with an exception. */
static inline int
step_poll(caw__state *state, caw__coroutine *c)
{
    if (!c->waiter.target && !(c->waiter.target = caw__wake_target_new(&c->waiter))) {
        PyErr_NoMemory();
        return STEP_NOT_POLLED;
    }
    c->waiter.queued = caw__wake_target_is_queued(c->waiter.target);
    c->waiter.polled = true;
    caw__poll_place place; /* field by field: the others have a value with has_after only */
    place.state = state;
    place.coroutine = c;
    place.released = NULL;
    place.has_after = false;
    caw_context cx = {.waker = caw__wake_target_waker(c->waiter.target), .host = &caw__poll_host, .place = &place};
    int poll = c->function->spec->poll_without_gil ? step_poll_without_gil(c, &cx, &place)
                                                   : (int)c->future->ops->poll(c->future, &cx);
    return place.has_after ? step_after_poll(c, poll, &place) : poll;
}

/* Suspend on the loop that runs in this thread: a new reference to what is yielded. NULL with an exception: there is
 * none, or it is another one than before. */
static PyObject *
step_suspend(caw__state *state, caw__coroutine *c)
{
    int status; /* the exception says it */
    caw__hub *hub = caw__hub_current(state, &c->waiter, &status);
    if (!hub) {
        return NULL;
    }
    if (!c->waiter.park) {
        c->waiter.park = caw__park_new(state, c);
        if (!c->waiter.park) {
            return NULL;
        }
    }
    if (!c->waiter.target->inbox) {
        caw__wake_target_bind(c->waiter.target, hub->inbox);
    }
    else if (c->waiter.target->inbox != hub->inbox) {
        PyErr_Format(PyExc_RuntimeError, "coroutine '%U' is suspended on a different event loop",
                     caw__coroutine_qualname(c));
        return NULL;
    }
    bool waits_on =
        c->extras && c->extras->pending && !c->waiter.callback; /* with a callback somebody else threw it in */
    if (waits_on && !c->extras->scope && hub->framework == &caw__asyncio &&
        caw__anyio_shield(state, &c->extras->scope) < 0) {
        return NULL;
    }
    caw__coroutine_track(c);
    c->waiter.state = CORO_SUSPENDED;
    return hub->framework->suspend(hub, &c->waiter);
}

/* Whether another future was polled with its waker: since this poll began, or so that it may still be woken. */
static bool
step_is_polled_elsewhere(const caw__coroutine *c)
{
    return caw__wake_target_is_shared(c->waiter.target) ||
           (!c->waiter.queued && caw__wake_target_is_queued(c->waiter.target));
}

/* The future waits for a Python awaitable: yield what that yields. NULL where it is one of ours. */
static PySendResult
step_delegate(caw__coroutine *c, PyObject **result)
{
    caw__inner *inner = c->extras->inner;
    if (step_is_polled_elsewhere(c)) { /* a wake of that one would find the task waiting for something else */
        PyErr_SetString(PyExc_RuntimeError, "a Python awaitable and another future were polled with the same waker: "
                                            "give each a waker of its own");
        return caw__coroutine_fail(c, result);
    }
    caw__coroutine_unshield(c);
    caw__coroutine_track(c);
    c->waiter.state = CORO_SUSPENDED;
    c->waiter.delegates = true;
    inner->waits = false;
    *result = inner->yielded;
    inner->yielded = NULL;
    return PYGEN_NEXT;
}

/* It is to suspend: warn where nobody can wake it. -1 with an exception where warnings are errors. */
static int
step_check_waker(caw__coroutine *c)
{
#ifndef NDEBUG
    if (caw__poll_is_lost(c)) {
        return PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                                "coroutine '%U' waits for '%s', which is pending although nobody has a clone of its "
                                "waker, so nothing will wake it",
                                caw__coroutine_qualname(c), c->future->ops->name);
    }
#else
    (void)c;
#endif
    return 0;
}

/* The future is not ready: suspend; or fail, as the poll did. Or it is, at a checkpoint. */
CAW__APART static PySendResult
step_not_ready(caw__state *state, caw__coroutine *c, int poll, PyObject **result)
{
    c->waiter.checkpoint = false;
    if (poll == CAW_READY) {
        return caw__checkpoint_end(state, c, result);
    }
    if (poll == CAW_PENDING && c->extras && c->extras->inner && c->extras->inner->waits) {
        return step_delegate(c, result);
    }
    if (poll == CAW_PENDING && c->waiter.cancelling && caw__result_is_due(c)) {
        return caw__coroutine_fail(c, result); /* the operation had its time to end */
    }
    if (poll == STEP_NOT_POLLED || step_check_waker(c) < 0 || !(*result = step_suspend(state, c))) {
        return caw__coroutine_fail(c, result);
    }
    return PYGEN_NEXT;
}

/* Poll, then finish or suspend. A poll may run any Python code: the caller holds the coroutine. */
PySendResult
caw__step_first(caw__state *state, caw__coroutine *c, PyObject **result)
{
    c->waiter.running = true;
    c->waiter.woken = c->waiter.detached = c->waiter.thrown_early = false;
    int poll = c->waiter.ended ? (int)CAW_READY : step_poll(state, c);
    if (poll != CAW_READY) {
        poll = step_checked(c, poll);
    }
    PySendResult outcome = poll != CAW_READY || c->waiter.checkpoint ? step_not_ready(state, c, poll, result)
                                                                     : caw__coroutine_finish(c, result);
    c->waiter.running = false;
    return outcome;
}

/* What comes before the poll: a checkpoint, an exception that trio sent. PYGEN_RETURN: nothing more, poll. */
static PySendResult
step_before_poll(caw__state *state, caw__coroutine *c, PyObject *value, PyObject **result)
{
    if (c->waiter.state == CORO_CREATED) {
        if (c->waiter.steps ||
            (caw__coroutine_awaits_python(c) && c->function->spec->checkpoint != CAW_PY_CHECKPOINT_BEFORE)) {
            return PYGEN_RETURN; /* as with Python's `await`, what is awaited sees to checkpoints */
        }
        PyObject *task;
        int found = caw__framework_trio_task(state, &c->waiter, &task);
        PySendResult outcome = found > 0    ? caw__checkpoint_begin(state, c, task, result)
                               : found == 0 ? PYGEN_RETURN
                                            : caw__coroutine_fail(c, result);
        Py_XDECREF(task);
        return outcome;
    }
    if (c->extras && c->extras->before) {
        return caw__checkpoint_go_on(c, value, result);
    }
    PyObject *error = value && value != Py_None ? caw__trio_sent_error(state, value) : NULL;
    if (!error) {
        return PYGEN_RETURN;
    }
    return caw__step_throw(c, error, result);
}

/* The state, when the coroutine may be resumed now; else NULL with an exception. */
static caw__state *
step_enter(caw__coroutine *c)
{
    if (c->waiter.running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        return NULL;
    }
    caw__state *state = caw__coroutine_state_of(c);
    if (c->waiter.state == CORO_CLOSED || !state) {
        caw__coroutine_unshield(c);
        PyErr_Format(PyExc_RuntimeError, "cannot reuse already awaited %s",
                     !c->waiter.steps  ? "coroutine"
                     : c->waiter.stops ? "aclose()/athrow()"
                                       : "__anext__()/asend()");
        return NULL;
    }
    return state;
}

/* The loop that runs here is not the one it is suspended on. */
static bool
step_is_elsewhere(const caw__coroutine *c)
{
    PyObject *here = NULL;
    (void)caw__framework_running(caw__coroutine_state_of(c), &c->waiter, &here);
    const caw__hub *hub = caw__hub_of(&c->waiter);
    bool elsewhere = here && (!hub || hub->loop != here);
    Py_XDECREF(here);
    caw__forget_raised();
    return elsewhere;
}

void
caw__coroutine_refuse(const caw__coroutine *c)
{
    if (c->waiter.state == CORO_SUSPENDED && !c->waiter.delegates && step_is_elsewhere(c)) {
        PyErr_Format(PyExc_RuntimeError, "coroutine '%U' is suspended on a different event loop",
                     caw__coroutine_qualname(c));
    }
    else {
        PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
    }
}

PySendResult
caw__step_on(caw__coroutine *c, PyObject **result)
{
    c->waiter.delegates = false;
    return caw__step_first(caw__coroutine_state_of(c), c, result);
}

/* Resume the Python awaitable by the next poll. What was thrown and is not taken by it is raised here. */
static PySendResult
step_resume_inner(caw__coroutine *c, PyObject *value, PyObject *exception, PyObject **result)
{
    if (exception) {
        caw__coroutine_on_throw(c, exception);
    }
    caw__inner *inner = c->extras->inner;
    if (!inner) { /* the author has destroyed it */
        caw__raise(exception);
        return caw__coroutine_fail(c, result);
    }
    inner->resumed = true;
    inner->sent = value == Py_None ? NULL : Py_XNewRef(value);
    c->extras->thrown = exception;
    PySendResult outcome = caw__step_on(c, result);
    PyObject *thrown = c->extras->thrown;
    c->extras->thrown = NULL;
    if (!thrown) {
        return outcome;
    }
    Py_CLEAR(*result);
    PyErr_Clear();
    caw__raise(thrown);
    return caw__coroutine_fail(c, result);
}

PySendResult
caw__step_send(caw__coroutine *c, PyObject *value, PyObject **result)
{
    *result = NULL;
    if (c->waiter.state == CORO_CLOSED && !c->waiter.running && c->extras && c->extras->before) {
        /* Closed in the middle of trio's checkpoint, which has to end in the task that it began in. */
        PySendResult outcome = caw__checkpoint_go_on(c, value, result);
        if (outcome != PYGEN_RETURN) {
            return outcome;
        }
    }
    caw__state *state = step_enter(c);
    if (!state) {
        return PYGEN_ERROR;
    }
    if (c->waiter.state == CORO_CREATED && value && value != Py_None &&
        !(c->waiter.steps && caw__child_ops_of(c->future)->send(c->future, value))) {
        PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
        return PYGEN_ERROR;
    }
    if (c->waiter.delegates) {
        return step_resume_inner(c, value, NULL, result);
    }
    if (c->waiter.state == CORO_SUSPENDED && !c->waiter.woken) {
        caw__coroutine_refuse(c); /* nothing changes for the awaiter that it waits with */
        return PYGEN_ERROR;
    }
    PySendResult outcome = step_before_poll(state, c, value, result);
    return outcome == PYGEN_RETURN ? caw__step_first(state, c, result) : outcome;
}

/* A step of an async generator has not begun. As throw_in of caw__child_ops; takes the exception if the stream does,
 * and else leaves the one that is to be raised. */
static int
step_throw_in(caw__coroutine *c, PyObject **exception)
{
    c->waiter.running = true;
    int taken = caw__child_ops_of(c->future)->throw_in(c->future, *exception);
    if (taken > 0) {
        Py_CLEAR(*exception);
    }
    else if (taken < 0) {
        Py_SETREF(*exception, caw__take_raised());
    }
    c->waiter.running = false;
    return taken;
}

PySendResult
caw__step_throw(caw__coroutine *c, PyObject *exception, PyObject **result)
{
    *result = NULL;
    caw__state *state = step_enter(c);
    if (!state) {
        Py_DECREF(exception);
        return PYGEN_ERROR;
    }
    if (c->waiter.delegates) {
        return step_resume_inner(c, NULL, exception, result);
    }
    bool in_flight =
        c->waiter.state == CORO_SUSPENDED && c->waiter.polled && !c->waiter.ended; /* else between trio's checkpoints */
    if (in_flight) {
        caw__coroutine_on_throw(c, exception);
    }
    bool waits = in_flight && caw__is_cancellation(state, exception) && caw__coroutine_waits_for_end(c);
    if (waits && caw__coroutine_extras_get(c)) {
        PyObject *old = c->extras->pending;
        c->extras->pending = exception;
        c->waiter.cancelling = true;
        if (caw__coroutine_policy(c) == CAW_PY_CANCEL_WAIT) {
            caw__coroutine_ask_to_end(c);
        }
        Py_INCREF(c);
        PySendResult outcome = caw__step_first(state, c, result);
        Py_DECREF(c);
        Py_XDECREF(old); /* last: may run any Python code */
        return outcome;
    }
    PyErr_Clear(); /* of the allocation that failed: the cancellation matters more */
    Py_INCREF(c);
    if (c->waiter.state == CORO_CREATED && c->waiter.steps) {
        int taken = step_throw_in(c, &exception);
        if (taken > 0) {
            PySendResult outcome = caw__step_first(state, c, result);
            Py_DECREF(c);
            return outcome;
        }
    }
    caw__checkpoint_leave(c);
    caw__raise(exception);
    PySendResult outcome = caw__coroutine_fail(c, result);
    Py_DECREF(c);
    return outcome;
}
