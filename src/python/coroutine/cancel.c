/* cancel.c: what a cancel does, whoever calls it.
 *
 * asyncio calls it once for each Task.cancel(). trio calls the abort function once for each suspension, with
 * `raise_cancel`, which raises what is to be raised: under the policy wait the answer is FAILED, and the awaiter
 * raises when the operation has ended; no second cancel comes to detach it. Under shield the answer is FAILED and
 * nothing else happens: the value comes through, and since trio's cancellation has levels the next checkpoint raises
 * it.
 */
#include "python/coroutine/cancel.h"

#include "python/coroutine/grace.h"
#include "python/framework/anyio.h"
#include "python/framework/trio.h"
#include "python/loop/hub.h"

caw_py_cancel
caw__coroutine_policy(const caw__coroutine *c)
{
    caw_py_cancel policy = c->function ? c->function->spec->cancel : CAW_PY_CANCEL_DETACH;
    if (policy != CAW_PY_CANCEL_DEFAULT) {
        return policy;
    }
    return c->future->ops->cancel ? CAW_PY_CANCEL_WAIT : CAW_PY_CANCEL_DETACH;
}

void
caw__coroutine_send_cancel(caw__coroutine *c)
{
    if (!c->waiter.cancel_sent) {
        char was_running = c->waiter.running;
        c->waiter.cancel_sent = true;
        c->waiter.running = true;
        caw_future_cancel(c->future);
        c->waiter.running = was_running;
    }
}

void
caw__coroutine_ask_to_end(caw__coroutine *c)
{
    caw__coroutine_send_cancel(c);
    if (c->waiter.state == CORO_SUSPENDED) {
        caw__grace_begin(c);
    }
}

void
caw__coroutine_on_throw(caw__coroutine *c, PyObject *exception)
{
    if (c->function->spec->on_throw) {
        char was_running = c->waiter.running;
        c->waiter.running = true;
        c->function->spec->on_throw(c->future, exception);
        c->waiter.running = was_running;
        if (PyErr_Occurred()) {
            PyErr_WriteUnraisable((PyObject *)c);
        }
    }
}

bool
caw__coroutine_waits_for_end(const caw__coroutine *c)
{
    if (c->waiter.detached) {
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

/* --- asyncio --- */

/* The awaiter resumes now, without the end of the operation, by result() raising CancelledError(message). Without
 * `detach` it waits on afterwards. */
static PyObject *
cancel_resume(caw__coroutine *c, PyObject *message, bool detach)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    if (!extras) {
        return NULL;
    }
    Py_XSETREF(extras->message, Py_NewRef(message));
    c->waiter.detached = detach;
    c->waiter.thrown_early = !detach;
    c->waiter.woken = true; /* first: call_soon may run a signal handler that cancels again */
    /* Never called directly: cancel() runs inside another task's step. */
    bool waits = c->waiter.callback || !caw__hub_of(&c->waiter); /* the hub of a closed loop has let go of it */
    if (waits && caw__hub_resume_soon(&c->waiter) < 0) {
        c->waiter.detached = c->waiter.thrown_early = c->waiter.woken = false;
        return NULL;
    }
    Py_RETURN_TRUE;
}

/* Whether an awaiter that waits for the end of its operation is to see the cancel at once: where the author has an
 * on_throw, and under anyio, whose scopes would go on cancelling. */
static bool
cancel_is_seen_at_once(const caw__coroutine *c)
{
    return c->function->spec->on_throw || caw__anyio_is_loaded(caw__coroutine_state_of(c));
}

/* Whether a cancel that comes before the awaiter has seen the last one is the second, that detaches. Two scopes of
 * anyio that are cancelled in one turn of the loop look the same, and do not. */
static bool
cancel_detaches_next(const caw__coroutine *c)
{
    return caw__coroutine_policy(c) == CAW_PY_CANCEL_WAIT && !caw__anyio_is_loaded(caw__coroutine_state_of(c));
}

/* The awaiter waits for the operation's end; or sees the cancellation first. */
static PyObject *
cancel_wait(caw__coroutine *c, PyObject *message, bool first)
{
    if (first && cancel_is_seen_at_once(c)) {
        PyObject *answer = cancel_resume(c, message, false);
        if (answer || !PyErr_ExceptionMatches(PyExc_RuntimeError)) {
            return answer;
        }
        PyErr_Clear(); /* the loop is closed: the task throws when the operation has ended */
    }
    Py_RETURN_FALSE;
}

static PyObject *
cancel_by_policy(caw__coroutine *c, PyObject *message)
{
    caw_py_cancel policy = caw__coroutine_policy(c);
    bool first = !c->waiter.cancelling;
    c->waiter.cancelling = true;
    if (policy == CAW_PY_CANCEL_SHIELD) {
        return cancel_wait(c, message, first);
    }
    if (policy == CAW_PY_CANCEL_WAIT && first) {
        caw__coroutine_ask_to_end(c);
        return cancel_wait(c, message, true);
    }
    if (policy != CAW_PY_CANCEL_KEEP) {
        caw__coroutine_send_cancel(c);
    }
    return cancel_resume(c, message, true);
}

PyObject *
caw__coroutine_cancel(caw__coroutine *c, PyObject *message)
{
    if (c->waiter.thrown_early && !c->waiter.running && cancel_detaches_next(c)) {
        c->waiter.thrown_early = false;
        c->waiter.detached = true;
        Py_XSETREF(c->extras->message, Py_NewRef(message));
        Py_RETURN_TRUE;
    }
    if (c->waiter.woken || c->waiter.running) {
        Py_RETURN_FALSE; /* too late, the awaiter is about to resume: it will throw then, and the result is destroyed */
    }
    Py_INCREF(c);
    PyObject *answer = cancel_by_policy(c, message);
    Py_DECREF(c);
    return answer;
}

/* --- trio --- */

/* What is to be raised for the first cancellation, since trio repeats it at each suspension: a new reference. The
 * author's on_throw is called with it; it runs Python code, which may close the coroutine. */
static PyObject *
cancel_reason(caw__coroutine *c, PyObject *raise_cancel)
{
    if (!c->function->spec->on_throw) {
        return Py_NewRef(raise_cancel); /* called when the operation has ended, as trio's own functions do */
    }
    Py_XDECREF(PyObject_CallNoArgs(raise_cancel));
    PyObject *exception = caw__take_raised();
    if (exception && c->waiter.state == CORO_SUSPENDED) {
        caw__coroutine_on_throw(c, exception);
    }
    return exception ? exception : Py_NewRef(raise_cancel);
}

/* Keep what the awaiter will raise when the operation has ended. Where there is no memory for that it raises nothing:
 * the next checkpoint does. */
static void
cancel_note(caw__coroutine *c, PyObject *raise_cancel)
{
    caw__coroutine_extras *extras = caw__coroutine_extras_get(c);
    if (!extras) {
        PyErr_Clear();
    }
    else if (!extras->pending) {
        PyObject *why = cancel_reason(c, raise_cancel);
        if (c->waiter.state == CORO_SUSPENDED && !extras->pending) {
            extras->pending = why;
        }
        else {
            Py_DECREF(why);
        }
    }
}

static PyObject *
cancel_abort(caw__coroutine *c, const caw__state *state, PyObject *raise_cancel)
{
    switch (caw__coroutine_policy(c)) {
    case CAW_PY_CANCEL_SHIELD:
        return state->trio.abort_failed;
    case CAW_PY_CANCEL_WAIT:
        caw__coroutine_ask_to_end(c);
        if (c->waiter.state == CORO_SUSPENDED) {
            cancel_note(c, raise_cancel);
        }
        return state->trio.abort_failed;
    default:
        c->waiter.detached = c->waiter.woken = true; /* first: the cancel may run any Python code */
        if (caw__coroutine_tells(c)) {
            caw__coroutine_send_cancel(c);
        }
        caw__hub_drop_callback(&c->waiter);
        return state->trio.abort_succeeded;
    }
}

PyObject *
caw__coroutine_abort(caw__coroutine *c, caw__state *state, PyObject *raise_cancel)
{
    bool by_trio =
        !c->waiter.woken && c->waiter.callback && caw__trio_waits(&c->waiter); /* else it is called by hand */
    c->waiter.aborted = c->waiter.aborted || by_trio;
    if (c->waiter.woken || c->waiter.running) {
        return Py_NewRef(state->trio.abort_failed); /* it resumes by itself */
    }
    c->waiter.cancelling = true;
    Py_INCREF(c);
    PyObject *answer = cancel_abort(c, state, raise_cancel);
    Py_DECREF(c);
    return Py_NewRef(answer);
}
