/* step.c: one way through a coroutine, whoever resumes it: poll; then finish, or suspend.
 *
 * It answers as `Objects/genobject.c: gen_send_ex2` does (CPython 3.13). Law: take it out of the struct before you call
 * anybody. A call into the user's functions may run any Python code; `running` keeps that code out of this coroutine.
 */
#include "python/generator/step.h"
#include "python/await/in_place.h"
#include "python/base/errors.h"
#include "python/coroutine/checkpoint.h"
#include "python/coroutine/park.h"
#include "python/coroutine/result.h"
#include "python/framework/anyio.h"
#include "python/framework/asyncio.h"
#include "python/framework/trio.h"

/* --- giving up --- */

CAW__APART static void
step_drop_park(caw__coroutine *c)
{
    caw__park *park = c->park; /* first: from here on nobody can register a callback */
    c->park = NULL;
    caw__park_orphan(park);
    if (c->callback) {
        caw__hub_drop_callback(c);
    }
}

/* What the extras have of the wait. Not `before`: its own task finishes that, see checkpoint.h. */
CAW__APART static void
step_close_extras(caw__coroutine *c)
{
    caw__anyio_unshield(c);
    caw__py_await_leave(c);
    Py_CLEAR(c->extras->raised); /* may run any Python code */
}

/* Nothing is waited for any more. The future is the caller's business. */
static inline void
step_close_state(caw__coroutine *c)
{
    c->state = CORO_CLOSED;
    c->delegates = false;
    if (c->park) { /* without one there was no suspension, so nobody has a callback here */
        step_drop_park(c);
    }
    if (c->target && !caw__wake_target_reset(c->target)) {
        c->target = NULL;
    }
    if (c->extras) {
        step_close_extras(c);
    }
}

void
caw__coroutine_abandon(caw__coroutine *c)
{
    if (c->state == CORO_CLOSED) {
        return;
    }
    char was_running = c->running;
    c->running = true;
    if (c->polled && !c->ended && c->future && caw__coroutine_policy(c) != CAW_PY_CANCEL_SHIELD) {
        caw__coroutine_tell(c);
    }
    caw_future *future = c->future;
    c->future = NULL;
    step_close_state(c);
    caw_future_destroy(future);
    c->running = was_running;
}

void
caw__coroutine_free_awaiter(caw__coroutine *c)
{
    if (c->callback && !c->woken) {
        c->woken = true; /* first: call_soon may run a signal handler that cancels */
        if (caw__hub_resume_soon(c) < 0) {
            if (!PyErr_ExceptionMatches(
                    PyExc_RuntimeError)) { /* else the loop is closed: nobody resumes there any more */
                PyErr_WriteUnraisable((PyObject *)c);
            }
            PyErr_Clear();
        }
    }
}

PySendResult
caw__coroutine_fail(caw__coroutine *c, PyObject **result)
{
    caw__generator_step_guard_stop(c->future);
    PyObject *raised = caw__take_raised();
    caw__coroutine_free_awaiter(c);
    caw__coroutine_abandon(c);
    caw__raise(raised);
    caw__guard_stop_iteration();
    caw__coroutine_add_traceback(c);
    *result = NULL;
    return PYGEN_ERROR;
}

/* --- cancel --- */

/* A cancellation has been thrown in: does the awaiter wait for the end of the operation? */
static bool
step_waits_for_end(const caw__coroutine *c)
{
    if (c->detached) {
        return false;
    }
    switch (caw__coroutine_policy(c)) {
    case CAW_PY_CANCEL_SHIELD:
        return true;
    case CAW_PY_CANCEL_WAIT:
        return !c->extras || !c->extras->pending; /* the second one detaches */
    default:
        return false;
    }
}

/* --- finishing --- */

/* Finish with the exception that is set. */
CAW__APART static PySendResult
step_finish_raised(caw__coroutine *c, caw_future *future)
{
    caw__generator_step_guard_stop(future);
    PyObject *raised = caw__take_raised();
    step_close_state(c);
    caw_future_destroy(future);
    caw__raise(raised);
    caw__guard_stop_iteration();
    caw__coroutine_add_traceback(c);
    return PYGEN_ERROR;
}

/* The future is ready: finish with its outcome or, where the awaiter was cancelled, with that. */
static inline PySendResult
step_finish(caw__coroutine *c, PyObject **result)
{
    if (c->callback) {
        caw__coroutine_free_awaiter(c); /* thrown into by somebody else */
    }
    caw_future *future = c->future;
    c->future = NULL;
    *result = c->extras && c->extras->pending ? caw__result_of_cancelled(c, future) : caw__result(c, future);
    if (!*result) {
        return step_finish_raised(c, future);
    }
    step_close_state(c);
    caw_future_destroy(future);
    return PYGEN_RETURN;
}

/* --- the step --- */

CAW__APART static int
step_poll_without_gil(caw__coroutine *c, caw_context *cx, caw__poll_place *place)
{
    place->released = caw__gil_released = PyEval_SaveThread();
    int poll = caw_future_poll(c->future, cx);
    caw__gil_take(place->released);
    return poll;
}

/* The reactor was asked for and not found. A KeyboardInterrupt that came meanwhile is raised in any case. An Exception says
 * more than the status that it became, where that is what the future ended with; the author's error function goes first,
 * and a future that ended in another way, or goes on, has found one. Takes the exception. */
CAW__SLOW static int
step_poll_without_reactor(caw__coroutine *c, int poll, PyObject *raised)
{
    int status = poll == CAW_READY ? c->future->status : 0;
    bool said = status == CAW_ENOREACTOR || status == CAW_EFORKED || status == CAW_ENOMEM;
    if (PyErr_GivenExceptionMatches(raised, PyExc_Exception) && (!said || c->function->spec->error)) {
        Py_DECREF(raised);
        return poll;
    }
    c->ended = poll == CAW_READY;
    caw__raise(raised);
    return -1;
}

/* Poll the future once. -1 with an exception when it could not be polled. */
static inline int
step_poll(caw__state *state, caw__coroutine *c)
{
    if (!c->target && !(c->target = caw__wake_target_new(c))) {
        PyErr_NoMemory();
        return -1;
    }
    c->polled = true;
    c->queued = caw__wake_target_is_queued(c->target);
    caw__poll_place place = {.state = state, .coroutine = c};
    caw_context cx = {.waker = caw__wake_target_waker(c->target), .host = &caw__poll_host, .place = &place};
    int poll = c->function->spec->poll_without_gil ? step_poll_without_gil(c, &cx, &place)
                                                   : (int)caw_future_poll(c->future, &cx);
    return place.raised ? step_poll_without_reactor(c, poll, place.raised) : poll;
}

/* Suspend on the loop that runs in this thread: a new reference to what is yielded. NULL with an exception: there is
 * none, or it is another one than before. */
static PyObject *
step_suspend(caw__state *state, caw__coroutine *c)
{
    int status; /* the exception says it */
    caw__hub *hub = caw__hub_current(state, c, &status);
    if (!hub) {
        return NULL;
    }
    if (!c->park) {
        c->park = caw__park_new(state, c);
        if (!c->park) {
            return NULL;
        }
    }
    if (!c->target->inbox) {
        caw__wake_target_bind(c->target, hub->inbox);
    }
    else if (c->target->inbox != hub->inbox) {
        PyErr_Format(PyExc_RuntimeError, "coroutine '%U' is suspended on a different event loop",
                     caw__coroutine_qualname(c));
        return NULL;
    }
    bool waits_on = c->extras && c->extras->pending && !c->callback; /* with a callback somebody else threw it in */
    if (waits_on && !c->extras->scope && hub->framework == &caw__asyncio && caw__anyio_shield(c) < 0) {
        return NULL;
    }
    caw__coroutine_track(c);
    c->state = CORO_SUSPENDED;
    return hub->framework->suspend(hub, c);
}

/* Whether another future was polled with its waker: since this poll began, or so that it may still be woken. */
static bool
step_is_polled_elsewhere(const caw__coroutine *c)
{
    return caw__wake_target_is_shared(c->target) || (!c->queued && caw__wake_target_is_queued(c->target));
}

/* The future waits for a Python awaitable: yield what that yields. NULL where it is one of ours. */
static PySendResult
step_delegate(caw__coroutine *c, PyObject **result)
{
    caw__py_await *inner = c->extras->inner;
    if (step_is_polled_elsewhere(c)) { /* a wake of that one would find the task waiting for something else */
        PyErr_SetString(PyExc_RuntimeError, "a Python awaitable and another future were polled with the same waker: "
                                            "give each a waker of its own");
        return caw__coroutine_fail(c, result);
    }
    caw__anyio_unshield(c);
    caw__coroutine_track(c);
    c->state = CORO_SUSPENDED;
    c->delegates = true;
    inner->waits = false;
    *result = inner->yielded;
    inner->yielded = NULL;
    return PYGEN_NEXT;
}

/* The future is not ready: suspend; or fail, as the poll did. Or it is, at a checkpoint. */
CAW__APART static PySendResult
step_not_ready(caw__state *state, caw__coroutine *c, int poll, PyObject **result)
{
    c->checkpoint = false;
    if (poll == CAW_READY) {
        return caw__checkpoint_end(state, c, result);
    }
    if (poll == CAW_PENDING && c->extras && c->extras->inner && c->extras->inner->waits) {
        return step_delegate(c, result);
    }
    if (poll < 0 || !(*result = step_suspend(state, c))) {
        return caw__coroutine_fail(c, result);
    }
    return PYGEN_NEXT;
}

/* Poll, then finish or suspend. A poll may run any Python code: the caller holds the coroutine. */
static PySendResult
step(caw__state *state, caw__coroutine *c, PyObject **result)
{
    c->running = true;
    c->woken = c->detached = c->delivered = false;
    int poll = c->ended ? (int)CAW_READY : step_poll(state, c);
    PySendResult outcome =
        poll != CAW_READY || c->checkpoint ? step_not_ready(state, c, poll, result) : step_finish(c, result);
    c->running = false;
    return outcome;
}

/* What comes before the poll: a checkpoint, an exception that trio sent. PYGEN_RETURN: nothing more, poll. */
static PySendResult
step_before_poll(caw__state *state, caw__coroutine *c, PyObject *value, PyObject **result)
{
    if (c->state == CORO_CREATED) {
        if (c->future->ops == &caw__py_await_ops || c->steps) {
            return PYGEN_RETURN; /* as with Python's `await`, what is awaited sees to checkpoints */
        }
        PyObject *task;
        int found = caw__framework_trio_task(state, c, &task);
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
    return caw__coroutine_throw(c, error, result);
}

/* The state, when the coroutine may be resumed now; else NULL with an exception. */
static caw__state *
step_enter(caw__coroutine *c)
{
    if (c->running) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        return NULL;
    }
    caw__state *state = caw__coroutine_state_of(c);
    if (c->state == CORO_CLOSED || !state) {
        caw__anyio_unshield(c);
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return NULL;
    }
    return state;
}

/* The loop that runs here is not the one it is suspended on. */
static bool
step_is_elsewhere(const caw__coroutine *c)
{
    PyObject *here = NULL;
    (void)caw__framework_running(caw__coroutine_state_of(c), c, &here);
    const caw__hub *hub = caw__hub_of(c);
    bool elsewhere = here && (!hub || hub->loop != here);
    Py_XDECREF(here);
    caw__forget_raised();
    return elsewhere;
}

void
caw__coroutine_refuse(const caw__coroutine *c)
{
    if (c->state == CORO_SUSPENDED && !c->delegates && step_is_elsewhere(c)) {
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
    c->delegates = false;
    return step(caw__coroutine_state_of(c), c, result);
}

/* Resume the Python awaitable by the next poll. What was thrown and is not taken by it is raised here. */
static PySendResult
step_resume_inner(caw__coroutine *c, PyObject *value, PyObject *exception, PyObject **result)
{
    if (exception) {
        caw__coroutine_tell_why(c, exception);
    }
    caw__py_await *inner = c->extras->inner;
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
    if (c->state == CORO_CLOSED && !c->running && c->extras && c->extras->before) {
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
    if (c->state == CORO_CREATED && value && value != Py_None && !caw__generator_step_send(c->future, value)) {
        PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
        return PYGEN_ERROR;
    }
    if (c->delegates) {
        return step_resume_inner(c, value, NULL, result);
    }
    if (c->state == CORO_SUSPENDED && !c->woken) {
        caw__coroutine_refuse(c); /* nothing changes for the awaiter that it waits with */
        return PYGEN_ERROR;
    }
    PySendResult outcome = step_before_poll(state, c, value, result);
    return outcome == PYGEN_RETURN ? step(state, c, result) : outcome;
}

PySendResult
caw__coroutine_send(PyObject *self, PyObject *value, PyObject **result)
{
    caw__coroutine *c = (caw__coroutine *)self;
    caw__state *state = caw__coroutine_state_of(c);
    bool begins = c->state == CORO_CREATED && !c->running && state && (!value || value == Py_None);
    PySendResult outcome;
    if (begins && c->steps && (outcome = caw__generator_step_at_once(c, result)) != PYGEN_NEXT) {
        return outcome;
    }
    if (begins && caw__trio_is_absent(state)) {
        outcome = step(state, c, result); /* the shortest way */
    }
    else if (c->delegates) {
        return caw__trampoline_resume(c, value, NULL, result);
    }
    else {
        outcome = caw__step_send(c, value, result);
    }
    return outcome == PYGEN_NEXT && !*result ? caw__trampoline_descend(c, result) : outcome;
}

PySendResult
caw__coroutine_throw(caw__coroutine *c, PyObject *exception, PyObject **result)
{
    if (c->delegates) {
        return caw__trampoline_resume(c, NULL, exception, result);
    }
    PySendResult outcome = caw__step_throw(c, exception, result);
    return outcome == PYGEN_NEXT && !*result ? caw__trampoline_descend(c, result) : outcome;
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
    if (c->delegates) {
        return step_resume_inner(c, NULL, exception, result);
    }
    bool in_flight = c->state == CORO_SUSPENDED && c->polled && !c->ended; /* else between trio's checkpoints */
    if (in_flight) {
        caw__coroutine_tell_why(c, exception);
    }
    bool waits = in_flight && caw__is_cancellation(state, exception) && step_waits_for_end(c);
    if (waits && caw__coroutine_extras_get(c)) {
        PyObject *old = c->extras->pending;
        c->extras->pending = exception;
        c->cancelling = true;
        if (caw__coroutine_policy(c) == CAW_PY_CANCEL_WAIT) {
            caw__coroutine_tell(c);
        }
        Py_INCREF(c);
        PySendResult outcome = step(state, c, result);
        Py_DECREF(c);
        Py_XDECREF(old); /* last: may run any Python code */
        return outcome;
    }
    PyErr_Clear(); /* of the allocation that failed: the cancellation matters more */
    if (c->state == CORO_CREATED && caw__generator_step_throw(c->future) < 0) {
        Py_DECREF(exception);
        exception = caw__take_raised();
    }
    Py_INCREF(c);
    caw__checkpoint_leave(c);
    caw__raise(exception);
    PySendResult outcome = caw__coroutine_fail(c, result);
    Py_DECREF(c);
    return outcome;
}
